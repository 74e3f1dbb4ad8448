"""The settings: frozen structs, every default with its unit. edge.config.file reads them."""

import ipaddress
import re
import socket
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from edge.language import DEFAULT, languages
from edge.paths import MODELS, keys_directory, recordings_directory, runtime_directory

Positive = Annotated[float, msgspec.Meta(gt=0, le=3600)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=64)]
Pixels = Annotated[int, msgspec.Meta(ge=16, le=8192)]
Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
Line = Annotated[int, msgspec.Meta(ge=0, le=1023)]
TopicPrefix = Annotated[str, msgspec.Meta(max_length=200)]
BrokerText = Annotated[str, msgspec.Meta(max_length=300)]
TOPIC_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
HostName = Annotated[str, msgspec.Meta(max_length=253)]
SELF_SIGNED = "self-signed"
BROKER_PORTS = {"mqtt": 1883, "mqtts": 8883}


def is_local(endpoint: str) -> bool:
    """Whether only programs of this host can reach `endpoint`."""
    scheme, _, address = endpoint.partition("://")
    host = address.rpartition(":")[0].strip("[]")
    if scheme == "ipc" or host in ("lo", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration file."""


class BusConfig(Section, frozen=True):
    """Where the processes of this device meet."""

    directory: str = ""
    """Folder of the local sockets; empty = /run/emotion-edge, or the user's runtime folder."""


class GatewayConfig(Section, frozen=True):
    """What other programs and other hosts may subscribe to; nothing comes in there."""

    local: str = "tcp://127.0.0.1:5556"
    """Plain endpoint for programs of this host; empty = none."""
    remote: str = ""
    """Encrypted endpoint for other hosts, such as "tcp://*:5557"; empty = none."""
    keys: str = ""
    """Folder of the keys; empty = /etc/emotion-edge/keys, or a folder of the user's own."""
    insecure: bool = False
    """True: `remote` is open to the network without keys. Anyone there can read along."""
    announce: bool = True
    """True: other hosts find `remote` by DNS-SD (needs zeroconf)."""

    def __post_init__(self) -> None:
        if self.local and not is_local(self.local):
            raise ValueError(f"local: {self.local!r} is not an address of this host; set remote")


class CameraConfig(Section, frozen=True):
    source: str = "auto"
    """auto, an index, /dev/videoN, picamera, a file, a URL, a GStreamer pipeline, demo or none."""
    width: Pixels = 640
    """px; larger frames are scaled down to fit."""
    height: Pixels = 480
    """px"""
    rate_hz: Annotated[float, msgspec.Meta(ge=0.1, le=240)] = 30.0
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise by which frames are turned, for a camera that does not stand upright."""
    mirror: bool = False
    """True: the screen shows people as a mirror does. What is published is not mirrored."""
    preview_hz: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    """Small JPEG frames a second for everyone who may subscribe; 0 = none."""


class DetectorConfig(Section, frozen=True):
    kind: Literal["auto", "yunet", "haar"] = "auto"
    """auto = YuNet where its weights are, else Haar."""
    model: str = ""
    """Path of YuNet's .onnx; empty = the one that set-up fetched."""
    cascade: Literal["alt2", "default"] = "alt2"
    min_face: Pixels = 24
    """px, the side of a face's box; smaller ones are ignored."""


class FaceConfig(Section, frozen=True):
    model: str = str(MODELS / "face_emotion.tflite")
    """A path, or the name of a file in models_tflite; with its card (.json) beside it."""
    raters_share: Fraction | None = None
    """0 = name faces as FER2013's labels do, 1 = as most of ten people; None = the model's own."""
    threshold: Fraction = 0.4
    """A face whose best score is below this is `uncertain`."""
    window_s: Positive = 0.5
    """Scores are averaged over this long."""
    hold_s: NotNegative = 0.5
    """A face that is lost is shown this much longer."""
    detector: DetectorConfig = DetectorConfig()


class ButtonConfig(Section, frozen=True):
    """At a pin of a Raspberry Pi; or, in its place, at a line of a GPIO chip; or a USB key."""

    pin: Pin = 17
    """BCM number; the other leg goes to ground."""
    bounce_s: NotNegative = 0.05
    led_pin: Pin | None = None
    """BCM number of an LED that is on while recording."""
    chip: str = ""
    """A GPIO chip, such as /dev/gpiochip0, on boards that are no Raspberry Pi."""
    line: Line | None = None
    """The line of `chip` that the button pulls to ground."""
    led_line: Line | None = None
    """The line of `chip` that an LED is at."""
    input: str = ""
    """A key or foot pedal, such as /dev/input/by-id/usb-...-event-kbd."""
    key: Annotated[int, msgspec.Meta(ge=1, le=767)] | None = None
    """The key's code (linux/input-event-codes.h); None = any key of `input`."""
    power_off_s: NotNegative = 0.0
    """Held for so long, the button switches the computer off; 0 = never."""

    def __post_init__(self) -> None:
        if bool(self.chip) != (self.line is not None):
            raise ValueError("chip and line belong together")
        if self.chip and self.input:
            raise ValueError("set chip or input, not both")
        if self.led_line is not None and not self.chip:
            raise ValueError("led_line is a line of chip; set chip")
        if self.led_pin is not None and (self.chip or self.input):
            raise ValueError("led_pin goes with pin, not with chip or input")
        if self.key is not None and not self.input:
            raise ValueError("key is a key of input; set input")


class AudioConfig(Section, frozen=True):
    source: str = "auto"
    """auto, a device name or index, a sound file, or none."""
    model: str = str(MODELS / "voice_emotion.tflite")
    activity_model: str = str(MODELS / "speech_activity.tflite")
    """Decides whether anybody spoke."""
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=10)] = 2.0
    """A press waits so long for the first word; 0 = it records at once."""
    duration_s: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    threshold: Fraction = 0.3
    button: ButtonConfig = ButtonConfig()


class FusionConfig(Section, frozen=True):
    threshold: Fraction = 0.4
    voice_half_life_s: Positive = 8.0
    """After this long the voice counts half."""


class DisplayConfig(Section, frozen=True):
    screen: str = "auto"
    """auto, window, framebuffer, none, or a path that ends in .png"""
    framebuffer: str = "/dev/fb0"
    fullscreen: bool = False
    language: str = DEFAULT
    """en, de: of everything on the screen, and of `watch`."""
    notice: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """A line of your choice at the foot of the screen, such as who to ask; empty = none."""

    def __post_init__(self) -> None:
        if self.language not in languages():
            known = " or ".join(languages())
            raise ValueError(f"language: there is no {self.language!r}; write {known}")


class MqttConfig(Section, frozen=True):
    """An MQTT broker that results are published to; off until `broker` names one."""

    broker: BrokerText = ""
    """mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS; empty = off."""
    user: BrokerText = ""
    password_file: str = ""
    """Holds the password; empty = the credential `mqtt-password` of systemd, or none."""
    ca: str = ""
    """Certificate authority of a mqtts broker; empty = those that the system trusts."""
    cert: str = ""
    """This device's certificate, for brokers that ask for one."""
    key: str = ""
    """The private key of `cert`."""
    topic: TopicPrefix = "emotion-edge"
    """What all topics begin with."""
    discovery: TopicPrefix = "homeassistant"
    """Home Assistant's discovery prefix; empty = not announced."""
    record: bool = False
    """True: a press published to .../record records, and Home Assistant gets a button."""
    scores_s: NotNegative = 10.0
    """Scores are published at most so often; 0 = never."""
    picture_s: NotNegative = 0.0
    """The preview (camera.preview_hz) is published at most so often; 0 = never."""

    def __post_init__(self) -> None:
        if self.broker:
            self._check_broker()
        for name, prefix in (("topic", self.topic), ("discovery", self.discovery or "none")):
            if not TOPIC_PREFIX.fullmatch(prefix):
                raise ValueError(f"{name}: may have A-Z, a-z, 0-9, _ and -, and / between them")
        if not self.user.isprintable():
            raise ValueError("user: may have no control characters")
        if bool(self.cert) != bool(self.key):
            raise ValueError("cert and key belong together")

    def _check_broker(self) -> None:
        """Never with the value itself in the error: it may hold a password."""
        form = "write mqtt://HOST[:1883] or mqtts://HOST[:8883]"
        if "@" in self.broker:
            raise ValueError("broker: a password in a URL ends up in logs; set password_file")
        try:
            url = urlsplit(self.broker)
            host, port = url.hostname or "", url.port
            host.encode("idna")
        except ValueError as error:  # UnicodeError is one
            raise ValueError(f"broker: {error}; {form}") from error
        rest = url.path.rstrip("/") + url.query + url.fragment
        is_host = host.isprintable() and " " not in host and host != ""
        if url.scheme not in BROKER_PORTS or not is_host or rest or port == 0:
            raise ValueError(f"broker: {form}")
        if url.scheme == "mqtt" and (self.ca or self.cert):
            raise ValueError("ca and cert are for TLS; write mqtts:// in broker")

    @property
    def is_tls(self) -> bool:
        return urlsplit(self.broker).scheme == "mqtts"

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) of the broker."""
        url = urlsplit(self.broker)
        return url.hostname or "", url.port or BROKER_PORTS[url.scheme]


class WebConfig(Section, frozen=True):
    """Pages for browsers, and metrics for Prometheus; off until `bind` names an address."""

    bind: str = ""
    """HOST:PORT, such as 127.0.0.1:8080; 0.0.0.0:8080 and [::]:8080 are all addresses."""
    hosts: tuple[HostName, ...] = ()
    """Further names by which browsers may call this device, such as a reverse proxy's."""
    picture_hz: Annotated[float, msgspec.Meta(ge=0, le=10)] = 5.0
    """Pictures a second, while somebody looks; 0 = labels only."""
    tls: str = ""
    """empty, self-signed, or a certificate and its key: "CERT KEY"."""
    metrics: bool = True
    """Prometheus may read /metrics; from other hosts with a token."""

    def __post_init__(self) -> None:
        if self.bind:
            self._check_bind()
        for host in self.hosts:
            if not HOST_NAME.fullmatch(host):
                raise ValueError(f"hosts: {host!r} is no name; write it without scheme and port")
        if self.tls not in ("", SELF_SIGNED) and len(self.tls.split()) != 2:
            raise ValueError(f'tls: write "{SELF_SIGNED}" or "CERT KEY", two files')

    def _check_bind(self) -> None:
        form = "write HOST:PORT, such as 127.0.0.1:8080"
        try:
            url = urlsplit(f"//{self.bind}")
            host, port = url.hostname or "", url.port
            host.encode("idna")
        except ValueError as error:  # UnicodeError is one
            raise ValueError(f"bind: {error}; {form}") from error
        if not host or not port or url.netloc != self.bind or "@" in self.bind:
            raise ValueError(f"bind: {form}")

    @property
    def address(self) -> tuple[str, int]:
        """(host, port) to listen on."""
        url = urlsplit(f"//{self.bind}")
        return url.hostname or "", url.port or 0

    @property
    def is_local(self) -> bool:
        """Whether only programs of this host can reach it."""
        return is_local(f"tcp://{self.bind}")


class RecorderConfig(Section, frozen=True):
    """Results that are kept on this device; off until `keep_days` is set. No frame, no sound."""

    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    """Older days are deleted; 0 = off: nothing is kept."""
    flush_s: Annotated[float, msgspec.Meta(ge=5, le=3600)] = 60.0
    """At most so much is lost when the power goes."""
    detail: Literal["second", "frame"] = "second"
    """second = a row a second for each face, frame = one for each frame: 20 times as much."""
    max_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 500
    """MB of the disk; beyond that the oldest day is deleted."""
    directory: str = ""
    """Where it is kept; empty = /var/lib/emotion-edge/recordings, or a folder of the user's own."""


class Config(Section, frozen=True):
    device: str = ""
    """This device's name in every message; empty = the host name."""
    threads: Count = 1
    """Threads of each model's interpreter."""
    bus: BusConfig = BusConfig()
    gateway: GatewayConfig = GatewayConfig()
    camera: CameraConfig = CameraConfig()
    face: FaceConfig = FaceConfig()
    audio: AudioConfig = AudioConfig()
    fusion: FusionConfig = FusionConfig()
    display: DisplayConfig = DisplayConfig()
    mqtt: MqttConfig = MqttConfig()
    web: WebConfig = WebConfig()
    recorder: RecorderConfig = RecorderConfig()

    @property
    def device_name(self) -> str:
        return self.device or socket.gethostname()

    @property
    def optional_services(self) -> tuple[str, ...]:
        """Those of the optional services that are on."""
        on = {
            "mqtt": bool(self.mqtt.broker),
            "web": bool(self.web.bind),
            "recorder": self.recorder.keep_days > 0,
        }
        return tuple(name for name, is_on in on.items() if is_on)

    def endpoint(self, name: str) -> str:
        """The local ZeroMQ endpoint `name` ("in", "out", "frames")."""
        return f"ipc://{self.directory / name}"

    @property
    def directory(self) -> Path:
        """The folder of the local sockets."""
        return Path(self.bus.directory) if self.bus.directory else runtime_directory()

    @property
    def recordings_directory(self) -> Path:
        """The folder of what the recorder keeps."""
        given = self.recorder.directory
        return Path(given) if given else recordings_directory()

    @property
    def keys_directory(self) -> Path:
        """The folder of the keys."""
        return Path(self.gateway.keys) if self.gateway.keys else keys_directory()

    @property
    def web_directory(self) -> Path:
        """The folder of the pages' passwords and certificate, beside that of the keys."""
        return self.keys_directory.with_name("web")
