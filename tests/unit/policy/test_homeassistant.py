"""The payload of discovery; that Home Assistant takes it is tested in tests/mqtt."""

import re
from typing import Any

from edge.bus.messages import SERVICES
from edge.policy.homeassistant import discovery_payload

ID = re.compile(r"[a-zA-Z0-9_-]+")


def payload(**changes: Any) -> dict[str, Any]:
    return discovery_payload(
        **{
            "device_id": "emotion-edge_0123456789ab",
            "name": "Küche 1",
            "base": "emotion-edge/Kuche_1",
            "version": "0.1.0",
            "services": dict.fromkeys(SERVICES, True),
            "record": True,
            "picture": True,
            **changes,
        }
    )


def test_every_entity_has_an_id_of_its_own_and_a_topic_of_this_device() -> None:
    components = payload()["components"]
    ids = [component["unique_id"] for component in components.values()]
    assert len({*ids}) == len(ids) and all(map(ID.fullmatch, ids))
    for component in components.values():
        topics = [value for key, value in component.items() if key.endswith("_topic")]
        assert [topic for topic in topics if not topic.startswith("emotion-edge/Kuche_1/")] == []
        assert topics


def test_what_is_switched_off_is_named_so_that_it_is_removed() -> None:
    services = {"hub": True, "web": False}
    components = payload(record=False, picture=False, services=services)["components"]
    assert components["web_state"] == {"platform": "sensor"}
    assert len(components["hub_state"]) > 1
    assert components["record"] == {"platform": "button"}
    assert components["picture"] == {"platform": "image"}


def test_scores_are_no_attributes() -> None:
    components = payload()["components"].values()
    assert not any("json_attributes_topic" in component for component in components)


def test_an_enum_has_no_unit_and_no_state_class() -> None:
    for component in payload()["components"].values():
        if component.get("device_class") == "enum":
            assert component["options"]
            assert not {"unit_of_measurement", "state_class"} & {*component}


def test_every_process_has_its_state() -> None:
    assert {f"{name}_state" for name in SERVICES} <= {*payload()["components"]}
