"""What docs/home-assistant.md promises and shows, word for word, in a real Home Assistant."""

import re
import textwrap
import time
from functools import partial

import msgspec
import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.config import CameraConfig, Config
from edge.pipeline.mqtt import identity
from edge.runtime.loop import Loop
from edge.services import mqtt
from tests.mqtt.test_home_assistant import until_right
from tests.support.bus import Bus, service
from tests.support.harness import ROOT, running, wait_for
from tests.support.home_assistant import HomeAssistant, is_built
from tests.support.mosquitto import Client, Mosquitto, with_broker

pytestmark = [
    pytest.mark.skipif(not is_built(), reason="no Home Assistant here: make test-ha builds it"),
    pytest.mark.root,
    pytest.mark.timeout(1200),
]

PAGE = (ROOT / "docs" / "home-assistant.md").read_text()
CARD, AUTOMATION = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
NAMED = re.compile(r"`((?:sensor|binary_sensor|event|button|image)\.NAME_\w+)")
DISABLED = ("valence", "arousal")
LIGHT = """
template:
  - light:
      - name: Kitchen
        turn_on: [{delay: 0}]
        turn_off: [{delay: 0}]
        set_temperature: [{delay: 0}]
"""


def kitchen(config: Config, broker: Mosquitto) -> Config:
    """The device of the page, with everything that is off switched on."""
    config = with_broker(config, broker, record=True, picture_s=1.0)
    return msgspec.structs.replace(config, device="kitchen", camera=CameraConfig(preview_hz=1.0))


def until_there(home: HomeAssistant, bus: Bus, entity: str, state: str) -> None:
    def is_so() -> bool:
        bus.faces_for(0.2)
        return home.states().get(entity) == state

    wait_for(is_so, f"{entity} is {state}", 120)


def test_every_entity_of_the_page_is_there_and_its_automation_acts_on_what_happens_now(
    with_hub: Config, broker: Mosquitto, home: HomeAssistant, bus: Bus
) -> None:
    home.add(f"{LIGHT}automation:\n  - {textwrap.indent(AUTOMATION, '    ').strip()}\n")
    home.start()
    home.until_up()
    config = kitchen(with_hub, broker)
    with service(config):
        until_there(home, bus, "sensor.kitchen_emotion", "happy")
        expected = {name.replace("NAME", "kitchen") for name in NAMED.findall(PAGE)}
        expected |= set(re.findall(r"\w+\.kitchen_\w+", CARD))
        expected -= {f"sensor.kitchen_{name}" for name in DISABLED}
        there = {*home.states("kitchen")}
        missing = {name for name in expected if not any(one.startswith(name) for one in there)}
        assert missing == set()
        bus.change("nobody", "sad")
        bus.change("sad", "happy")
        bus.faces_for(2.0)
        assert last_triggered(home) is None
        bus.change("happy", "sad")
        until_there(home, bus, "light.kitchen", "on")
    acted = last_triggered(home)
    with service(config):  # the device is restarted, then Home Assistant: nothing happens again
        until_there(home, bus, "sensor.kitchen_emotion", "happy")
        home.stop()
        home.start()
        home.until_up()
        until_there(home, bus, "sensor.kitchen_emotion", "happy")
        bus.faces_for(3.0)
        assert last_triggered(home) == acted
    assert home.mqtt_warnings() == []


def last_triggered(home: HomeAssistant) -> str | None:
    """When the automation of the page acted last."""
    state = home.state("automation.somebody_in_the_kitchen_became_sad")
    return state["attributes"].get("last_triggered")  # type: ignore[no-any-return]


def test_two_devices_of_one_name_are_two_and_one_that_stops_leaves_the_others(
    with_hub: Config, broker: Mosquitto, watcher: Client, home: HomeAssistant, bus: Bus
) -> None:
    config = with_broker(with_hub, broker)
    home.start()
    home.until_up()
    with service(config):
        until_right(home, bus)
        umlaut = msgspec.structs.replace(config, device="Küche 1")
        with (
            running(partial(serve, "another machine"), config),
            running(partial(serve, "a third machine"), umlaut),
        ):
            until_there(home, bus, "sensor.test_emotion_2", "happy")
            until_there(home, bus, "sensor.kuche_1_emotion", "happy")
            wait_for(lambda: "another device" in told(watcher), "it is reported")
        watcher.until("test/availability", lambda m: m.text == "offline")
        until_right(home, bus, 10.0)
        time.sleep(1.0)
        until_right(home, bus, 1.0)
    assert home.mqtt_warnings() == []


def serve(machine: str, config: Config, loop: Loop) -> None:
    mqtt.serve(config, loop, identity(config, machine))


def told(watcher: Client) -> str:
    return " ".join(m.text for m in watcher.on("health/mqtt"))
