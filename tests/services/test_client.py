import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.keys import KeysError
from edge.bus.messages import Emotion, HealthMessage, Message
from edge.bus.sockets import BusError
from edge.client import SilentError, StaleError, Subscription, subscribe, subscribe_async
from edge.config import BusConfig, Config
from edge.services import hub
from tests.doors import add_key, emotion, locked, next_heard, outside
from tests.helpers import PATIENCE_S, ROOT, free_port, publishing, running

ONLY = {"numpy", "cv2", "scipy", "soundfile", "PIL", "gpiozero", "pyaudio", "zeroconf"}


def test_a_subscriber_gets_the_topics_that_it_asked_for(with_hub: Config) -> None:
    with publishing(with_hub) as publisher:
        sent = publisher.publish("emotion", emotion())
        message = next(subscribe(with_hub.bus.bind, ["emotion"], timeout_s=10))
    assert message == sent


def test_an_asynchronous_subscriber_gets_the_same(config: Config) -> None:
    config = locked(config)
    key = add_key(config, "robot")

    async def take(count: int) -> list[Message]:
        messages = subscribe_async(outside(config), ["health.hub"], key, PATIENCE_S)
        async with contextlib.aclosing(messages):
            return [await anext(messages) for _ in range(count)]

    async def twice() -> list[Message]:
        """The second subscriber may have the first one's descriptor."""
        return [*await take(2), *await take(1)]

    with running(hub.run, config):
        said = asyncio.run(twice())
    assert all(isinstance(message, HealthMessage) for message in said)
    assert said[0].seq < said[1].seq <= said[2].seq


def test_a_device_that_is_not_there_is_stale() -> None:
    nobody = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(StaleError, match="nothing came from"):
        next(subscribe(nobody, timeout_s=0.1))


def test_a_device_that_has_nothing_to_say_is_silent_and_not_stale(with_hub: Config) -> None:
    with pytest.raises(SilentError, match=r"said nothing on emotion for 1.5 s \(hub ok\)"):
        next(subscribe(with_hub.bus.bind, ["emotion"], timeout_s=1.5))


def test_a_subscriber_says_that_it_was_stale_and_goes_on_when_the_hub_is_back(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with Subscription(config.bus.bind) as device:
        with running(hub.run, config):
            next_heard(device, "health.hub")
            assert not device.stale
        deadline_s = time.monotonic() + PATIENCE_S
        while not device.stale and time.monotonic() < deadline_s:
            device.wait(0.1)
        assert device.stale and "what came before is stale" in caplog.text
        with running(hub.run, config):
            back_s = time.monotonic()
            next_heard(device, "health.hub")
            assert time.monotonic() - back_s < 2.0
        assert not device.stale and "back after" in caplog.text


def test_what_cannot_be_read_is_counted_and_said_once(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    device = sockets.make_socket(zmq.XPUB)
    device.bind(config.bus.bind)
    with Subscription(config.bus.bind, ["emotion"]) as subscriber:
        assert device.poll(5000)
        for body in (b"{}", b"\xff", messages.encode(emotion())):
            device.send_multipart([b"emotion", body])
        next_heard(subscriber, "emotion")
        assert subscriber.bad == 2
    device.close()
    assert caplog.text.count("ignored a message that is not ours: emotion: ") == 1


def test_a_reader_that_is_in_time_gets_everything_and_a_late_one_the_newest(
    with_hub: Config,
) -> None:
    with publishing(with_hub) as publisher, Subscription(with_hub.bus.bind, ["emotion"]) as device:
        publisher.publish("emotion", emotion("sad"))
        next_heard(device, "emotion")
        for delay_s, expected in ((0.0, ["calm", "angry", "happy"]), (0.6, ["happy"])):
            for label in ("calm", "angry", "happy"):
                publisher.publish("emotion", emotion(label))
            time.sleep(delay_s)
            taken = []
            while "happy" not in taken:
                taken += [heard.message.emotion for heard in device.wait(5.0)]
            assert taken == expected


def test_two_devices_are_told_apart(config: Config, directory: Path) -> None:
    door = BusConfig(directory=str(directory / "other"), bind=f"tcp://127.0.0.1:{free_port()}")
    kitchen = locked(msgspec.structs.replace(config, device="kitchen"))
    cellar = locked(msgspec.structs.replace(config, device="cellar", bus=door))
    with (
        running(hub.run, kitchen),
        running(hub.run, cellar),
        publishing(kitchen) as first,
        publishing(cellar) as second,
        Subscription(outside(kitchen), ["emotion"], add_key(kitchen, "wall")) as both,
    ):
        both.connect(outside(cellar), add_key(cellar, "wall"))
        first.publish("emotion", emotion("happy"))
        second.publish("emotion", emotion("sad"))
        said: dict[str, str] = {}
        deadline_s = time.monotonic() + PATIENCE_S
        while len(said) < 2 and time.monotonic() < deadline_s:
            for heard in both.wait(0.1):
                assert isinstance(heard.message, Emotion)
                said[heard.message.device] = heard.message.emotion
    assert said == {"kitchen": "happy", "cellar": "sad"}


def test_an_age_is_told_by_the_subscribers_own_clock(config: Config) -> None:
    """The device's clock is an hour behind; its message is 0.3 s old."""
    behind_s = 3600.0
    with (
        running(hub.run, config),
        publishing(msgspec.structs.replace(config, device="behind")) as publisher,
        Subscription(config.bus.bind, ["emotion"]) as device,
    ):
        now = {"t_ns": time.monotonic_ns() - 300_000_000, "time": time.time() - behind_s - 0.3}
        publisher.publish("emotion", msgspec.structs.replace(emotion(), **now))
        heard = next_heard(device, "emotion")
    assert device.offsets["behind"].seconds == pytest.approx(behind_s, abs=0.1)
    assert heard.age_s == pytest.approx(0.3, abs=0.1)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(BusError, match="nonsense"):
        next(subscribe("nonsense"))


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "laptop.key"
    with pytest.raises(KeysError, match=r"laptop\.key: No such file"):
        next(subscribe(key=file))
    file.write_text("hello")
    with pytest.raises(KeysError, match=r"laptop\.key: no subscriber's key; .*keys add NAME"):
        next(subscribe(key=file))


def test_a_subscriber_needs_pyzmq_and_msgspec_only() -> None:
    code = "import edge.client, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert {"zmq", "msgspec"} <= loaded
    assert not loaded & ONLY


def test_watch_needs_nothing_that_only_unix_has(with_hub: Config) -> None:
    """Windows has no fcntl, no resource, no os.getuid and no AF_UNIX."""
    code = f"""
import os, socket, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios", "numpy", "cv2", "zeroconf"):
    sys.modules[name] = None
del os.getuid, os.geteuid, os.sysconf, socket.AF_UNIX
from edge.cli import main
sys.exit(main(["watch", {with_hub.bus.bind!r}, "--count", "1"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "health.hub" in done.stdout


def test_the_readmes_five_lines_receive(with_hub: Config) -> None:
    text = (ROOT / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    assert "tcp://127.0.0.1:5556" in code
    code = code.replace("tcp://127.0.0.1:5556", with_hub.bus.bind)
    process = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
    with process, publishing(with_hub) as publisher:
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line.startswith('emotion {"type":"emotion"')


def test_the_readmes_client_receives_with_a_key(config: Config) -> None:
    config = locked(config)
    key = add_key(config, "laptop")
    code = (ROOT / "README.md").read_text().partition("```py\n")[2].partition("```")[0]
    assert "tcp://kitchen.local:5556" in code and '"laptop.key"' in code
    code = code.replace("tcp://kitchen.local:5556", outside(config)).replace("laptop.key", str(key))
    with (
        running(hub.run, config),
        subprocess.Popen(
            [sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process,
        publishing(config) as publisher,
    ):
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line == "test happy 0.9\n"
