"""Reading the settings from TOML.

An unknown key or a wrong type is an error that names the file, the line and the key. Relative paths
are taken from the folder of the file that names them, those of the command line from the working
folder; PATHS lists the keys. Keys of older versions are moved or ignored, with one warning.
"""

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from edge.config import Config, Section, is_local
from edge.errors import ConfigError
from edge.paths import MODELS, SYSTEM_CONFIG, is_file

log = logging.getLogger(__name__)


def _in_folder(path: str, folder: Path) -> str:
    return str(folder.absolute() / path) if path else path


def _two_files(tls: str, folder: Path) -> str:
    """ "CERT KEY", each an absolute path; a word stays as it is."""
    files = tls.split()
    return " ".join(_in_folder(file, folder) for file in files) if len(files) == 2 else tls


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
    "recorder.directory": _in_folder,
    "web.tls": _two_files,
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
SECTIONS = frozenset(key[:at] for key in KEYS for at, char in enumerate(key) if char == ".")
AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
AT_END = " (at end of document)"


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
        data = path.read_bytes()
        return _parse(data.decode("utf-8-sig"), path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file in UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigError(_syntax_error(path, data, str(error))) from error


def _syntax_error(path: Path, data: bytes, what: str) -> str:
    """FILE:LINE: what, of what the decoder reports at the end of its line."""
    if what.endswith(AT_END):
        lines = data.rstrip().count(b"\n") + 1
        return f"{path}:{lines}: {what.removesuffix(AT_END)}, and the file ends there"
    if found := AT_LINE.search(what):
        return f"{path}:{found[1]}: {what[: found.start()]}"
    return f"{path}: {what}"


def _parse(text: str, path: Path) -> Config:
    """Raises ConfigError, and the decoder's errors where `text` is no TOML (or JSON)."""
    is_json = path.suffix == ".json" or text.startswith("{")  # which no TOML does
    decode = msgspec.json.decode if is_json else msgspec.toml.decode
    settings = dict(flatten(decode(text, type=dict[str, Any])))
    if notes := replace_moved(settings):
        log.warning("%s: %s", path, "; ".join(notes))
    for key in sorted(settings.keys() - KEYS):
        raise ConfigError(f"{_place(path, text, key)}: {_unknown(key)}")
    for key, make_absolute in PATHS.items():
        if isinstance(value := settings.get(key), str):
            settings[key] = make_absolute(value, path.parent)
    try:
        return msgspec.convert(_nest(settings), Config)
    except msgspec.ValidationError as error:
        what, _, key = str(error).rstrip("`").partition(" - at `$.")
        # A section's own rule begins with one of its keys; with a colon, if it is about that alone.
        first, rest = what.split(maxsplit=1)
        named = f"{key}.{first.rstrip(':')}"
        place = _place(path, text, named if named in KEYS else key)
        if named in KEYS and first.endswith(":"):
            key, what = named, rest
        raise ConfigError(f"{place}: {key}: {what}{_choices(key)}") from error


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("camera.source", "demo") of {"camera": {"source": "demo"}}."""
    for key, value in table.items():
        if isinstance(value, dict) and (value or prefix + key in SECTIONS):
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


def _unknown(key: str) -> str:
    if key in SECTIONS:
        return f"{key} is a section; write [{key}] above its keys"
    import difflib  # only where it is needed: it costs every process memory

    close = difflib.get_close_matches(key, KEYS | SECTIONS, 1)
    return f"unknown key {key}" + (f"; did you mean {close[0]}?" if close else "")


def _choices(key: str) -> str:
    """The values that a key may have, where it is one of a few."""
    kind: Any = Config
    for name in key.split("."):
        kind = {field.name: field.type for field in msgspec.structs.fields(kind)}.get(name)
    return f"; write {' or '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else ""


def place_of(path: Path | None, key: str) -> str:
    """FILE:LINE: KEY where the settings set the key, else KEY. `path`: as for `load`."""
    path = path or SYSTEM_CONFIG
    with contextlib.suppress(OSError, UnicodeDecodeError):
        place = _place(path, path.read_text("utf-8-sig"), key)
        if place != str(path):
            return f"{place}: {key}"
    return key


def lines_of(path: Path) -> dict[str, int]:
    """{key: the line that sets it} of a TOML file; empty where it cannot be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return {key: line for line, key in _keys_at(path.read_text("utf-8-sig"))}
    return {}


def _place(path: Path, text: str, key: str) -> str:
    """FILE:LINE of a key or section in TOML, or of what holds it; FILE where there is neither."""
    lines = dict(_keys_at(text))
    while key:
        for number, name in lines.items():
            if name == key or name.startswith(f"{key}."):
                return f"{path}:{number}"
        key = key.rpartition(".")[0]
    return str(path)


def _keys_at(text: str) -> Iterator[tuple[int, str]]:
    """(line, key or section) of TOML."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?([^\]]+)\]", line):
            section = _plain(header[1]) + "."
            yield number, section[:-1]
        elif "=" in line:
            yield number, section + _plain(line.partition("=")[0])


def _plain(name: str) -> str:
    """A key without its quotes and spaces."""
    return ".".join(part.strip(" \t\"'") for part in name.split("."))


def with_overrides(config: Config, overrides: Mapping[str, str | bool]) -> Config:
    """A copy with the command line's {"section.key": value}."""
    for key, value in overrides.items():
        if (make_absolute := PATHS.get(key)) and isinstance(value, str):
            value = make_absolute(value, Path.cwd())
        section, _, name = key.partition(".")
        table = msgspec.structs.replace(getattr(config, section), **{name: value})
        config = msgspec.structs.replace(config, **{section: table})
    return config


@contextlib.contextmanager
def config_file(config: Config) -> Iterator[int]:
    """The settings as a file in memory for other processes: it has no name that others can take."""
    descriptor = os.memfd_create("emotion-edge")
    try:
        os.pwrite(descriptor, msgspec.json.encode(config), 0)
        yield descriptor
    finally:
        os.close(descriptor)
