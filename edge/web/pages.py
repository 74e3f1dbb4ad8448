"""What the templates are filled with."""

import contextlib
import csv
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edge import __version__
from edge.bus.history import History
from edge.bus.messages import EMOTION_LABELS, HealthMessage
from edge.config import Config
from edge.config.file import lines_of, load, place_of
from edge.errors import ConfigError
from edge.paths import CONFIG_VARIABLE, SYSTEM_CONFIG, without_credentials
from edge.web.board import label_of
from edge.web.secrets import Role
from edge.web.site import Site

WORDS = ("emotion.", "number.", "web.js.", "voice.", "microphone.", "viewers.", "fused.")
SECRET = ("password", "secret", "token")
HIDDEN = "••••••"


class Row(NamedTuple):
    """A service on the health page."""

    name: str
    state: str
    detail: str
    health: HealthMessage | None


class Setting(NamedTuple):
    key: str
    value: str
    source: str
    """default, a place in a file, or the command line."""


def common(site: Site, role: Role, path: str) -> dict[str, Any]:
    """For every page."""
    return {
        "text": site.text,
        "language": site.config.display.language,
        "device": site.config.device_name,
        "role": role,
        "path": path,
        "needs_login": site.gate.needs_login,
        "recording_data": site.board.is_recording_data(time.monotonic_ns()),
    }


def live(site: Site) -> dict[str, Any]:
    """The state now, for who has no JavaScript, and the words of who has."""
    now_ns = time.monotonic_ns()
    emotion, face = site.board.emotion(now_ns), site.board.face(now_ns)
    return {
        "label": label_of(emotion),
        "emotion": emotion,
        "faces": len(face.faces) if face else 0,
        "problems": site.board.problems(now_ns),
        "words": words(site),
        "mirror": site.config.camera.mirror,
        "labels": EMOTION_LABELS,
    }


def words(site: Site) -> dict[str, str]:
    """What scripts write."""
    return site.text.texts(*WORDS)


def health(site: Site) -> dict[str, Any]:
    """Every service, the board and the versions."""
    now_ns = time.monotonic_ns()
    face = site.board.health("face")
    return {
        "rows": [*_rows(site, now_ns)],
        "celsius": face.soc_c if face else None,
        "throttled": bool(face and face.throttled),
        "version": __version__,
        "models": models(site.config),
        "up_s": time.clock_gettime(time.CLOCK_BOOTTIME),
        "now": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
    }


def _rows(site: Site, now_ns: int) -> Iterator[Row]:
    for name in site.board.services:
        found = site.board.health(name)
        if found is None or site.board.is_missing(name, now_ns):
            yield Row(site.text.service(name), "missing", "", None)
        else:
            detail = site.text.detail(found.detail)
            yield Row(site.text.service(name), found.state, detail, found)


def models(config: Config) -> dict[str, str]:
    """{"face_model": name and version}, from the cards beside them."""
    paths = {"face_model": config.face.model, "voice_model": config.audio.model}
    found = {}
    for key, path in paths.items():
        try:
            card = msgspec.json.decode(Path(path).with_suffix(".json").read_bytes(), type=Card)
        except (OSError, msgspec.DecodeError):
            continue
        found[key] = f"{card.name} {card.version}"
    return found


class Card(msgspec.Struct, frozen=True):
    """What is needed of a model's card."""

    name: str
    version: str


def settings(site: Site) -> dict[str, list[Setting]]:
    """{section: its settings}, each with where it comes from; secrets are hidden."""
    origins = Origins(Path(os.environ.get(CONFIG_VARIABLE, SYSTEM_CONFIG)))
    sections: dict[str, list[Setting]] = {}
    for key, value in flat(site.config):
        section, _, name = key.rpartition(".")
        setting = Setting(name, shown(key, value), origins.of(key, value))
        sections.setdefault(section, []).append(setting)
    return sections


def flat(struct: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, object]]:
    """("camera.source", "demo") of the settings."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, msgspec.Struct):
            yield from flat(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


DEFAULTS = dict(flat(Config()))


class Origins:
    """Where values come from, as far as the settings file tells."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = lines_of(path)
        self._values = DEFAULTS
        with contextlib.suppress(ConfigError):
            self._values = dict(flat(load(path if path.exists() else None)))

    def of(self, key: str, value: object) -> str:
        """FILE:LINE that sets it, "default", or "" for the command line."""
        if value != self._values[key]:
            return ""
        if key in self._lines:
            return f"{self._path}:{self._lines[key]}"
        if value == DEFAULTS[key]:
            return "default"
        return place_of(self._path, key).removesuffix(f": {key}")  # in a table on one line


def shown(key: str, value: object) -> str:
    """As it would be written in the settings."""
    if any(word in key for word in SECRET) and value:
        return HIDDEN
    if isinstance(value, str):
        return without_credentials(value)
    if value is None:
        return "–"
    return msgspec.json.encode(value).decode()


def csv_of(history: History) -> str:
    """A row for each bucket: Unix time, ISO time, scores, what was decided for longest, faces; then
    voices and changes.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    labels = list(history.emotion)
    writer.writerow(["time", "utc", *labels, "label", "faces", "voice", "change", "mark"])
    columns = [history.emotion[label] for label in labels]
    for index, t in enumerate(history.t):
        scores = [blank(column[index]) for column in columns]
        decided = cell(decided_longest(history, index))
        faces = blank(history.faces[index])
        writer.writerow([f"{t:.3f}", iso(t), *scores, decided, faces, "", "", ""])
    empty = [""] * (len(labels) + 2)
    for t, emotion, _ in history.voice:
        writer.writerow([f"{t:.3f}", iso(t), *empty, cell(emotion), "", ""])
    for t, _, emotion in history.changes:
        writer.writerow([f"{t:.3f}", iso(t), *empty, "", cell(emotion), ""])
    for t, mark in history.marks:
        writer.writerow([f"{t:.3f}", iso(t), *empty, "", "", cell(mark)])
    return table.getvalue()


def decided_longest(history: History, index: int) -> str:
    """Of a bucket; "" = nothing was recorded."""
    shares = {label: column[index] for label, column in history.labels.items() if column[index]}
    return max(shares, key=lambda label: shares[label], default="")


def iso(unix_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_s))


def blank(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def cell(text: str) -> str:
    """A spreadsheet must not run it."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
