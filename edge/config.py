"""The settings: frozen structs read from TOML, every default with its unit.

This room knows no process, socket or device. An unknown key or a wrong type is an error
that names the file and the key.
"""

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edge.errors import UserError

SYSTEM_CONFIG = Path("/etc/emotion-edge/config.toml")
SYSTEM_DIRECTORY = Path("/run/emotion-edge")
SYSTEM_KEYS = Path("/etc/emotion-edge/keys")
MODELS = Path(__file__).resolve().parent.parent / "models_tflite"

Positive = Annotated[float, msgspec.Meta(gt=0, le=3600)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=3600)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=64)]
Pixels = Annotated[int, msgspec.Meta(ge=16, le=8192)]
Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=1023)]


class ConfigError(UserError):
    """A setting that cannot be used. The message is one line: what, where, and the mend."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration file."""


class Bus(Section, frozen=True):
    """Where the processes meet, and the door for other hosts."""

    directory: str = ""
    """Folder of the local sockets; empty = /run/emotion-edge, or the user's runtime folder."""
    bind: str = "tcp://127.0.0.1:5556"
    """Read-only endpoint for other programs; empty = none. Beyond this host it is locked."""
    keys: str = ""
    """Folder of the keys; empty = /etc/emotion-edge/keys, or a folder of the user's own."""
    insecure: bool = False
    """True: `bind` may be open to the network without keys. Anyone there can read along."""
    announce: bool = True
    """True: a door that is open to the network is found by DNS-SD (needs zeroconf)."""


class Camera(Section, frozen=True):
    source: str = "auto"
    """auto, an index, /dev/videoN, picamera, a file, a URL, a GStreamer pipeline, or demo."""
    width: Pixels = 640
    """px; larger pictures are scaled down to fit."""
    height: Pixels = 480
    """px"""
    rate_hz: Annotated[float, msgspec.Meta(ge=0.1, le=240)] = 30.0
    preview_hz: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    """Small JPEG pictures a second for everyone who may subscribe; 0 = none."""


class Detector(Section, frozen=True):
    kind: Literal["auto", "yunet", "haar"] = "auto"
    """auto = YuNet where its weights are, else Haar."""
    model: str = ""
    """Path of YuNet's .onnx; empty = the one that set-up fetched."""
    cascade: Literal["alt2", "default"] = "alt2"
    min_face: Pixels = 48
    """px; smaller faces are passed over."""


class Face(Section, frozen=True):
    model: str = str(MODELS / "face_emotion.tflite")
    raters_share: Share | None = None
    """0 = name faces as FER2013's labels do, 1 = as most of ten people; None = the model's own."""
    threshold: Share = 0.4
    """A face whose best score is below this is `uncertain`."""
    window_s: Positive = 0.5
    """Scores are averaged over this long."""
    hold_s: NotNegative = 0.5
    """A face that is lost is shown this much longer."""
    detector: Detector = Detector()


class Button(Section, frozen=True):
    """At a pin of a Raspberry Pi; or, in its place, at a line of a GPIO chip; or a USB key."""

    pin: Pin = 17
    """BCM number; the other leg goes to ground."""
    bounce_s: NotNegative = 0.05
    led_pin: Pin | None = None
    """BCM number of an LED that is on while recording."""
    chip: str = ""
    """A GPIO chip, such as /dev/gpiochip0, on boards that are no Raspberry Pi."""
    line: Offset | None = None
    """The line of `chip` that the button pulls to ground."""
    led_line: Offset | None = None
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


class Audio(Section, frozen=True):
    source: str = "auto"
    """auto, a device name or index, or a sound file."""
    model: str = str(MODELS / "voice_emotion.tflite")
    activity_model: str = str(MODELS / "speech_activity.tflite")
    """Says whether anybody spoke."""
    duration_s: Annotated[float, msgspec.Meta(ge=0.5, le=10)] = 2.0
    threshold: Share = 0.3
    window: Count = 3
    """Scores are averaged over at most this many recordings."""
    window_s: Positive = 30.0
    """Recordings older than this are not averaged in."""
    button: Button = Button()


class Fusion(Section, frozen=True):
    threshold: Share = 0.4
    voice_half_life_s: Positive = 8.0
    """After this long the voice counts half."""


class Display(Section, frozen=True):
    screen: str = "auto"
    """auto, window, framebuffer, none, or a path that ends in .png"""
    framebuffer: str = "/dev/fb0"
    fullscreen: bool = False


class Config(Section, frozen=True):
    device: str = ""
    """This device's name in every message; empty = the host name."""
    threads: Count = 1
    """Threads of each model's interpreter."""
    bus: Bus = Bus()
    camera: Camera = Camera()
    face: Face = Face()
    audio: Audio = Audio()
    fusion: Fusion = Fusion()
    display: Display = Display()

    @property
    def device_name(self) -> str:
        return self.device or socket.gethostname()

    def endpoint(self, name: str) -> str:
        """The local ZeroMQ endpoint `name` ("in", "out", "frames")."""
        return f"ipc://{self.directory / name}"

    @property
    def directory(self) -> Path:
        """The folder of the local sockets."""
        return Path(self.bus.directory) if self.bus.directory else default_directory()

    @property
    def keys_directory(self) -> Path:
        """The folder of the keys."""
        return Path(self.bus.keys) if self.bus.keys else default_keys()


def default_directory() -> Path:
    """/run/emotion-edge where the service lets us in, else a folder of this user's own."""
    return SYSTEM_DIRECTORY if os.access(SYSTEM_DIRECTORY, os.X_OK) else user_directory()


def bus_is_closed() -> bool:
    """Whether the service's bus is there, and not for this user."""
    return SYSTEM_DIRECTORY.is_dir() and default_directory() != SYSTEM_DIRECTORY


def user_directory() -> Path:
    """The runtime folder of this user."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "emotion-edge"
    return Path(tempfile.gettempdir()) / f"emotion-edge-{os.getuid()}"


def default_keys() -> Path:
    """/etc/emotion-edge/keys where it is there for us, else a folder of this user's own."""
    if os.access(SYSTEM_KEYS, os.R_OK | os.X_OK):
        return SYSTEM_KEYS
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings) / "emotion-edge" / "keys"


def keys_are_closed() -> bool:
    """Whether a service's keys are there, and not for this user: other ones would open nothing."""
    return SYSTEM_KEYS.exists() and default_keys() != SYSTEM_KEYS


def load(path: Path | None = None) -> Config:
    """Read the settings.

    `path`: a .toml (or .json) file; None = /etc/emotion-edge/config.toml if it is there,
    else the defaults. Raises ConfigError with one line that names the file and the key.
    """
    if path is None:
        if not SYSTEM_CONFIG.exists():
            return Config()
        path = SYSTEM_CONFIG
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: not a file")
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        return decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {_in_words(str(error))}") from error


def _in_words(error: str) -> str:
    """msgspec's message with the key's path as it stands in the file (`$.camera` -> [camera])."""
    text, found, where = error.partition(" - at `$.")
    return f"{text[:1].lower()}{text[1:]}, at {where.rstrip('`')}" if found else text


def with_overrides(config: Config, overrides: Sequence[tuple[str, str, str]]) -> Config:
    """A copy with (section, key, value) triples put in, as the command line gives them."""
    for section, key, value in overrides:
        table = msgspec.structs.replace(getattr(config, section), **{key: value})
        config = msgspec.structs.replace(config, **{section: table})
    return config
