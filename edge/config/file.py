"""Reading the settings from TOML.

An unknown key or a wrong type is an error that names the file, the line and the key. Relative paths
are taken from the folder of the file that names them, those of the command line from the working
folder; PATHS lists the keys. Keys of older versions are moved or ignored, with one warning.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge.config import Config, Section, is_local
from edge.errors import ConfigError
from edge.paths import MODELS, SYSTEM_CONFIG, is_file

log = logging.getLogger(__name__)


def _in_folder(path: str, folder: Path) -> str:
    return str(folder.absolute() / path) if path else path


def _image(screen: str, folder: Path) -> str:
    return _in_folder(screen, folder) if screen.lower().endswith(".png") else screen


def _source(source: str, folder: Path) -> str:
    """A file that is there; anything else is a device, a URL or a word, or reported as given."""
    path = _in_folder(source, folder)
    return path if ("." in source or "/" in source) and is_file(path) else source


def _model(model: str, folder: Path) -> str:
    """Finds "face_emotion" and "models_tflite/face_emotion.tflite" from any folder."""
    name = model if Path(model).suffix else f"{model}.tflite"
    bases = (folder, MODELS.parent) if "/" in model else (MODELS, folder)
    paths = [_in_folder(name, base) for base in bases]
    return next(filter(is_file, paths), paths[0])


PATHS: Mapping[str, Callable[[str, Path], str]] = {
    "bus.directory": _in_folder,
    "gateway.keys": _in_folder,
    "camera.source": _source,
    "face.model": _model,
    "face.detector.model": _in_folder,
    "audio.source": _source,
    "audio.model": _model,
    "audio.activity_model": _model,
    "display.screen": _image,
    "mqtt.password_file": _in_folder,
    "mqtt.ca": _in_folder,
    "mqtt.cert": _in_folder,
    "mqtt.key": _in_folder,
}
"""Keys that may hold a relative path -> (value, folder) -> the value with an absolute one."""


def _move_bind(endpoint: Any) -> dict[str, Any]:
    """A network endpoint was the only one, and gateway.local could want the same port."""
    if not endpoint or is_local(str(endpoint)):
        return {"gateway.local": endpoint}
    return {"gateway.remote": endpoint, "gateway.local": ""}


MOVED: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "bus.bind": _move_bind,
    "bus.keys": lambda folder: {"gateway.keys": folder},
    "bus.insecure": lambda insecure: {"gateway.insecure": insecure},
    "bus.announce": lambda announce: {"gateway.announce": announce},
    "audio.window": lambda _: {},
    "audio.window_s": lambda _: {},
}
"""Keys of older versions -> value -> what to set instead; nothing where they are retired."""


def keys_of(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Every key of the settings, such as "face.detector.kind"."""
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, Section):
            yield from keys_of(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


KEYS = frozenset(keys_of(Config))


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
    try:
        return _parse(path.read_text("utf-8"), path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _parse(text: str, path: Path) -> Config:
    """Raises ConfigError, and the decoder's errors where `text` is no TOML (or JSON)."""
    is_json = path.suffix == ".json" or text.startswith("{")  # which no TOML does
    decode = msgspec.json.decode if is_json else msgspec.toml.decode
    settings = dict(flatten(decode(text, type=dict[str, Any])))
    if notes := replace_moved(settings):
        log.warning("%s: %s", path, "; ".join(notes))
    for key in sorted(settings.keys() - KEYS):
        raise ConfigError(f"{_place(path, text, key)}: unknown key {key}{_did_you_mean(key)}")
    for key, make_absolute in PATHS.items():
        if isinstance(value := settings.get(key), str):
            settings[key] = make_absolute(value, path.parent)
    try:
        return msgspec.convert(_nest(settings), Config)
    except msgspec.ValidationError as error:
        what, _, key = str(error).rstrip("`").partition(" - at `$.")
        raise ConfigError(f"{_place(path, text, key)}: {key}: {what}") from error


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("camera.source", "demo") of {"camera": {"source": "demo"}}."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _nest(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `flatten`."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        *sections, name = key.split(".")
        table = nested
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return nested


def replace_moved(settings: dict[str, Any]) -> list[str]:
    """Put what MOVED gives in place of keys of older versions; returns a note for each."""
    notes = []
    for old, move in MOVED.items():
        if old in settings:
            new = move(settings.pop(old))
            for key, value in new.items():
                settings.setdefault(key, value)
            now = f"is now {next(iter(new))}" if new else "has no effect any more"
            notes.append(f"{old} {now}")
    return notes


def _did_you_mean(key: str) -> str:
    import difflib  # only where it is needed: it costs every process memory

    close = difflib.get_close_matches(key, KEYS, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _place(path: Path, text: str, key: str) -> str:
    """FILE:LINE of a key or section in TOML, FILE where it is not found."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([\w.]+)\]", line):
            section = f"{header[1]}."
        if key in (section.rstrip("."), section + line.partition("=")[0].strip()):
            return f"{path}:{number}"
    return str(path)


def with_overrides(config: Config, overrides: Mapping[str, str | bool]) -> Config:
    """A copy with the command line's {"section.key": value}."""
    for key, value in overrides.items():
        if (make_absolute := PATHS.get(key)) and isinstance(value, str):
            value = make_absolute(value, Path.cwd())
        section, _, name = key.partition(".")
        table = msgspec.structs.replace(getattr(config, section), **{name: value})
        config = msgspec.structs.replace(config, **{section: table})
    return config
