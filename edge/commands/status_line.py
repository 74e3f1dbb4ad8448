"""The live line at the foot of the terminal while `emotion-edge run` works."""

import shutil
import time
from collections.abc import Iterable
from typing import TextIO

from edge.bus.messages import (
    OFF,
    OPTIONAL_SERVICES,
    SERVICES,
    TOPICS,
    HealthMessage,
    Message,
    RecordingMessage,
)
from edge.commands.text import format_message, printable

SHOWN = ("face", "recording", "audio", "emotion")
CLEAR_LINE = "\r\x1b[K"
CTRL_C_ECHO = len("^C") + 1
"""Room for what the terminal prints at Ctrl-C, or the line would wrap."""


class StatusLine:
    """Keeps the newest of each topic and redraws one line; other lines scroll above it."""

    def __init__(self, out: TextIO, has_window: bool = False) -> None:
        self._out = out
        self._live = out.isatty()
        self._newest: dict[str, tuple[Message, float]] = {}
        self._announced = False
        self._keys = " (in the window: `a`)" if has_window else ""

    def update(self, received: Iterable[tuple[str, Message]]) -> None:
        """Keep what was received, and when."""
        for topic, message in received:
            self._newest[topic] = (message, time.monotonic())
        if self._is_running() and not self._announced:
            self._announced = True
            self.print_line(f"running; `emotion-edge record` records{self._keys}, Ctrl-C ends")

    def _is_running(self) -> bool:
        """Faces are looked for, or the settings turn them off."""
        health, _ = self._newest.get("health.face", (None, 0.0))
        is_off = isinstance(health, HealthMessage) and health.detail == OFF
        return is_off or "face" in self._newest

    def print_line(self, line: str) -> None:
        """Print a permanent line above the live one."""
        self._write(f"{CLEAR_LINE if self._live else ''}{printable(line)}\n")

    def redraw(self) -> None:
        """Redraw the live line; nothing where this is no terminal."""
        if self._live:
            width = shutil.get_terminal_size().columns - CTRL_C_ECHO
            self._write(f"{CLEAR_LINE}{self._line()[:width]}")

    def _line(self) -> str:
        parts = []
        for topic in SHOWN:
            message = self._current(topic)
            if message is not None and not is_idle(message):
                parts.append(f"{topic}: {format_message(message)}")
        return "  ".join([*self._problems(), *parts]) or "starting"

    def _problems(self) -> list[str]:
        """The services that are missing or not well."""
        optional = [name for name in OPTIONAL_SERVICES if f"health.{name}" in self._newest]
        health = {name: self._current(f"health.{name}") for name in (*SERVICES, *optional)}
        missing = [name for name, message in health.items() if message is None]
        degraded = [
            f"{name} {message.state}"
            for name, message in health.items()
            if isinstance(message, HealthMessage) and message.state != "ok"
        ]
        return [*([f"missing: {' '.join(missing)}"] if missing else []), *degraded]

    def _current(self, topic: str) -> Message | None:
        """The newest message of a topic while it is current."""
        message, at_s = self._newest.get(topic, (None, 0.0))
        return message if TOPICS[topic].is_current(time.monotonic() - at_s) else None

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._live:
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        """A full disk under a log ends nothing; nobody at the other end of a pipe does."""
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            raise
        except OSError:
            pass


def is_idle(message: Message) -> bool:
    """Whether the message is about no recording."""
    return isinstance(message, RecordingMessage) and message.phase == "idle"
