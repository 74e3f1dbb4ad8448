"""What Home Assistant is told of this device: one payload for MQTT discovery.

Source of the keys: Home Assistant's `mqtt` integration, 2026.2. Scores are never attributes: it
stores a row whenever an attribute changes. An entity that is switched off is named with its
platform alone, which removes it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edge.policy.digest import EMOTIONS, EXPIRE_S, VOICES

PRESS = "PRESS"
BIRTH = "online"
ONLINE, OFFLINE = "online", "offline"
Component = dict[str, Any]


def discovery_payload(
    *,
    device_id: str,
    name: str,
    base: str,
    version: str,
    services: Mapping[str, bool],
    record: bool,
    picture: bool,
) -> dict[str, Any]:
    """The payload for `<prefix>/device/.../config`.

    `base`: what this device's topics begin with. `services`: of each, whether it is on. `record`,
    `picture`: whether there is a button, and an image.
    """
    components = {
        **_results(base),
        **_voice(base),
        "record": _switchable(record, "button", "Record voice", _button(base)),
        "picture": _switchable(picture, "image", "Picture", _image(base)),
        **_health(base, services),
    }
    for key, component in components.items():
        if len(component) > 1:
            component["unique_id"] = f"{device_id}_{key}"
    return {
        "device": {
            "identifiers": [device_id],
            "name": name,
            "manufacturer": "Emotion Edge",
            "sw_version": version,
        },
        "origin": {"name": "emotion-edge", "sw_version": version},
        "availability": [{"topic": f"{base}/availability"}],
        "components": components,
    }


def _entity(platform: str, name: str, topic: str, value: str = "", **more: Any) -> Component:
    template = {"value_template": f"{{{{ {value} }}}}"} if value else {}
    return {"platform": platform, "name": name, "state_topic": topic, **template, **more}


def _expiring(platform: str, name: str, topic: str, value: str, **more: Any) -> Component:
    """A state that is sent again and again while it holds."""
    return _entity(platform, name, topic, value, expire_after=round(EXPIRE_S), **more)


def _enum(options: Iterable[str]) -> Component:
    return {"device_class": "enum", "options": list(options)}


def _on_if(condition: str) -> str:
    return f"'ON' if {condition} else 'OFF'"


def _results(base: str) -> dict[str, Component]:
    emotion, faces = f"{base}/emotion", f"{base}/faces"
    measured = {"state_class": "measurement"}
    return {
        "emotion": _expiring(
            "sensor", "Emotion", emotion, "value_json.emotion",
            icon="mdi:emoticon-outline", **_enum(EMOTIONS),
        ),
        "confidence": _expiring(
            "sensor", "Confidence", emotion, "(value_json.confidence * 100) | round(0)",
            unit_of_measurement="%", icon="mdi:percent", **measured,
        ),
        "valence": _expiring(
            "sensor", "Valence", emotion, "value_json.valence | round(2)",
            icon="mdi:emoticon-happy-outline", enabled_by_default=False, **measured,
        ),
        "arousal": _expiring(
            "sensor", "Arousal", emotion, "value_json.arousal | round(2)",
            icon="mdi:pulse", enabled_by_default=False, **measured,
        ),
        "faces": _expiring(
            "sensor", "Faces", faces, "value_json.count", icon="mdi:face-recognition", **measured
        ),
        "presence": _expiring(
            "binary_sensor", "Face present", faces, _on_if("value_json.count > 0"),
            device_class="occupancy",
        ),
        "change": _entity(
            "event", "Emotion changed", f"{base}/change",
            event_types=["change"], icon="mdi:emoticon-outline",
        ),
    }  # fmt: skip


def _voice(base: str) -> dict[str, Component]:
    return {
        "voice": _entity(
            "sensor", "Last voice", f"{base}/voice", "value_json.emotion",
            icon="mdi:account-voice", **_enum(VOICES),
        ),
        "voice_event": _entity(
            "event", "Voice", f"{base}/voice/event",
            event_types=["voice"], icon="mdi:microphone-message",
        ),
        "recording": _expiring(
            "binary_sensor", "Recording", f"{base}/recording",
            _on_if("value_json.phase in ('waiting', 'recording')"), device_class="running",
        ),
    }  # fmt: skip


def _switchable(is_on: bool, platform: str, name: str, fields: Component) -> Component:
    return {"platform": platform, **({"name": name, **fields} if is_on else {})}


def _button(base: str) -> Component:
    return {
        "command_topic": f"{base}/record",
        "payload_press": PRESS,
        "qos": 1,
        "icon": "mdi:microphone",
    }


def _image(base: str) -> Component:
    return {"image_topic": f"{base}/picture", "content_type": "image/jpeg"}


def _health(base: str, services: Mapping[str, bool]) -> dict[str, Component]:
    diagnostic = {"entity_category": "diagnostic"}
    states = {
        f"{name}_state": _expiring(
            "sensor", f"Process {name}", f"{base}/health/{name}", "value_json.state",
            **_enum(("ok", "degraded", "failed")), **diagnostic,
        )
        if is_on else {"platform": "sensor"}
        for name, is_on in services.items()
    }  # fmt: skip
    chip = _expiring(
        "sensor", "Chip temperature", f"{base}/health/face", "value_json.soc_c",
        device_class="temperature", unit_of_measurement="°C", state_class="measurement",
        **diagnostic,
    )  # fmt: skip
    return {**states, "chip_temperature": chip}
