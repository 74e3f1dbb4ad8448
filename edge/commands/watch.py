"""`emotion-edge watch`: what a device publishes, for people, or as JSON or CSV for programs."""

import difflib
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.bus import discovery
from edge.bus.discovery import Found
from edge.bus.messages import TOPICS
from edge.bus.pubsub import MAX_DEVICES, remember
from edge.client import RUNNING, Received, Subscription
from edge.commands import csv_table
from edge.commands.csv_table import CsvOutput, message_rows
from edge.commands.text import (
    ENGLISH,
    Format,
    format_message,
    print_error,
    print_line,
    printable_json,
    write_output,
)
from edge.commands.watch_table import CLEAR_SCREEN, Row, render_table, style_of
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.language import Language
from edge.paths import check_directory

REDRAW_S = 0.25


class View(NamedTuple):
    """Which messages are shown, and how."""

    topics: Sequence[str] = ("",)
    limit: int | None = None
    """End after so many messages; None = at Ctrl-C."""
    format: Format = "text"
    words: Language = ENGLISH


def check_topics(topics: Sequence[str]) -> None:
    """Raises UsageError for what no topic begins with."""
    for topic in topics:
        if not any(name.startswith(topic) for name in TOPICS):
            close = difflib.get_close_matches(topic, TOPICS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise UsageError(f"no topic begins with {topic!r}; {hint}there are {', '.join(TOPICS)}")


def watch(endpoint: str, key: Path | None, view: View) -> int:
    """Show what is received from `endpoint`. Returns the exit code. Raises BusError, KeysError."""
    with Subscription(endpoint, view.topics, key) as device:
        if view.limit is None and view.format == "text" and sys.stdout.isatty():
            return _show_table(device, view.words)
        return _print_lines(device, view)


def _print_lines(device: Subscription, view: View) -> int:
    left, write = view.limit, writer(view)
    while left is None or left > 0:
        for received in device.wait(1.0)[:left]:
            write(received)
            left = None if left is None else left - 1
    return ExitCode.OK


def writer(view: View) -> Callable[[Received], None]:
    """What prints a message as the view wants it. Writes CSV's header."""
    if view.format == "text":
        return lambda received: print_line(text_line(received, view.words))
    if view.format == "json":
        return lambda received: print_line(json_line(received))
    table = CsvOutput(csv_table.WATCH)
    return lambda received: _write_rows(table, received)


def _write_rows(table: CsvOutput, received: Received) -> None:
    for row in message_rows(received.topic, received.message):
        table.write_row(row)


def json_line(received: Received) -> str:
    """The message as it was sent, with its topic."""
    content = msgspec.to_builtins(received.message)
    return printable_json(msgspec.json.encode({"topic": received.topic, **content}).decode())


def text_line(received: Received, words: Language) -> str:
    text = format_message(received.message, words)
    ago = words("number.ago", seconds=words.decimal(received.age_s))
    return f"{received.message.device}  {received.topic:<16} {text}  ({ago})"


def _show_table(device: Subscription, words: Language) -> int:
    """The live view, until Ctrl-C."""
    newest: dict[tuple[str, str], tuple[Received, float]] = {}
    print(end=CLEAR_SCREEN)
    while True:
        now_s = time.monotonic()
        for received in device.wait(REDRAW_S):
            key = received.message.device, received.topic
            remember(newest, key, (received, now_s), MAX_DEVICES * len(TOPICS))
        now_s = time.monotonic()
        rows = [Row(r.topic, r.message, r.age_s + now_s - at_s) for r, at_s in newest.values()]
        note = f"{words(_state(device, bool(rows)))} · {words('watch.end')} {device.endpoint}"
        style = style_of(shutil.get_terminal_size(), words)
        write_output(render_table(rows, note, style))
        time.sleep(REDRAW_S)


def _state(device: Subscription, has_rows: bool) -> str:
    """The key of a text."""
    if not device.stale:
        return "watch.live" if has_rows else "watch.waiting"
    return "watch.stale" if has_rows else "watch.not_running"


def watch_here(config: Config, view: View) -> int:
    """Watch this host's device if it runs; else list those of the network.

    Returns the exit code. Raises ConfigError where another user could be listening here.
    """
    if check_directory(config.directory) and is_listening(config.directory / "out"):
        return watch(config.endpoint("out"), None, view)
    found, why = find_devices()
    if not found:
        print_error("watch", f"nothing runs here; {RUNNING} {why}")
        return ExitCode.FAILED
    for line in format_list(found):
        print_line(line)
    return ExitCode.OK


def is_listening(path: Path) -> bool:
    """Whether a program listens at this local socket."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def find_devices() -> tuple[list[Found], str]:
    """The devices on the network; the text is why there is none, and the fix."""
    try:
        return discovery.find(), (
            "No other device found on this network (a device is found if gateway.remote is set); "
            "name one: emotion-edge watch tcp://HOST:5557 --key FILE"
        )
    except ImportError:
        return (
            [],
            "Others cannot be looked for: pip install zeroconf, or name one",
        )
    except OSError as error:
        return [], f"Others cannot be looked for ({error.strerror}); name one"


def format_list(found: Sequence[Found]) -> list[str]:
    """A line for each device, and under it the command that watches it."""
    lines = []
    for device in found:
        key = " --key FILE" if device.encrypted else ""
        lines.append(f"{device.device}  ({device.version})")
        lines.append(f"    emotion-edge watch {device.endpoint}{key}")
    return lines
