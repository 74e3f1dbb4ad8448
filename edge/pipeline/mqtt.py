"""This device at an MQTT broker, by its settings: account, names, topics, discovery payload.

What the service, `mqtt forget` and the doctor share.
"""

import hashlib
import hmac
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge import __version__
from edge.bus.messages import OPTIONAL_SERVICES, SERVICES
from edge.config import Config, MqttConfig
from edge.devices.broker import Account, tls_context
from edge.errors import ConfigError
from edge.policy.homeassistant import discovery_payload

MACHINE_ID = Path("/etc/machine-id")
CREDENTIAL = "mqtt-password"
MAX_PASSWORD_BYTES = 1024
RETAINED = ("availability", "emotion", "faces", "voice", "recording")


class Identity(NamedTuple):
    """Who this device is at the broker."""

    device_id: str
    """Of this machine, whatever it is called: client id, and Home Assistant's identifier."""
    base: str
    """What its topics begin with."""


def identity(config: Config, machine_id: str = "") -> Identity:
    """`machine_id`: "" = that of this machine."""
    name = topic_name(config.device_name)
    secret = (machine_id or read_machine_id()).encode()
    digest = hmac.new(secret, b"emotion-edge", hashlib.sha256).hexdigest()[:12]
    return Identity(f"emotion-edge_{digest}", f"{config.mqtt.topic}/{name or digest}")


def topic_name(device: str) -> str:
    """The device's name with the characters that a topic and an entity id may have."""
    plain = unicodedata.normalize("NFKD", device).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")[:64]


def read_machine_id() -> str:
    """machine-id(5): it is secret, so nothing but a keyed hash of it is sent."""
    try:
        return MACHINE_ID.read_text().strip() or os.uname().nodename
    except OSError:
        return os.uname().nodename


def account(config: Config, device_id: str) -> Account:
    """How to reach the broker. Raises ConfigError."""
    mqtt = config.mqtt
    if not mqtt.broker:
        raise ConfigError('mqtt.broker is not set; write broker = "mqtt://HOST" under [mqtt]')
    password = read_password(mqtt)
    if password and not mqtt.user:
        raise ConfigError("there is a password and mqtt.user is not set; set it")
    tls = tls_context(mqtt.ca, mqtt.cert, mqtt.key) if mqtt.is_tls else None
    return Account(*mqtt.address, client_id=device_id, tls=tls, user=mqtt.user, password=password)


def read_password(mqtt: MqttConfig) -> str:
    """From the file of the settings, else from systemd's credentials. Raises ConfigError."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if mqtt.password_file:
        path = Path(mqtt.password_file)
    elif credentials and (Path(credentials) / CREDENTIAL).exists():
        path = Path(credentials) / CREDENTIAL
    else:
        return ""
    try:
        if path.stat().st_mode & stat.S_IRWXO:
            raise ConfigError(f"mqtt.password_file = {path}: others can read it; chmod 640 {path}")
        text = path.read_text("utf-8")[: MAX_PASSWORD_BYTES + 1]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"mqtt.password_file = {path}: {why}") from error
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or len(password) > MAX_PASSWORD_BYTES or not password.isprintable():
        raise ConfigError(f"mqtt.password_file = {path}: write one line, the password")
    return password


def discovery_topic(config: Config, me: Identity) -> str:
    """Where Home Assistant is told of this device; "" where it is not.

    With the name, so that a broker can keep others from it; with the id, for two may have it.
    """
    prefix, name = config.mqtt.discovery, me.base.rpartition("/")[2]
    return f"{prefix}/device/{name}/{me.device_id}/config" if prefix else ""


def discovery(config: Config, me: Identity) -> bytes:
    """What Home Assistant is told."""
    optional = {name: name in config.optional_services for name in OPTIONAL_SERVICES}
    payload = discovery_payload(
        device_id=me.device_id,
        name=config.device_name,
        base=me.base,
        version=__version__,
        services={**dict.fromkeys(SERVICES, True), **optional},
        record=config.mqtt.record,
        picture=config.mqtt.picture_s > 0,
    )
    return msgspec.json.encode(payload)


def retained_topics(config: Config, me: Identity) -> list[str]:
    """All that the broker keeps of this device; what Home Assistant was told comes first."""
    health = (f"health/{name}" for name in (*SERVICES, *OPTIONAL_SERVICES))
    told = discovery_topic(config, me)
    return [*([told] if told else []), *(f"{me.base}/{name}" for name in (*RETAINED, *health))]
