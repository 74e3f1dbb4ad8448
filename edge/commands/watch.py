"""`emotion-edge watch`: what a device publishes, for eyes or, with --json, for programs."""

import shutil
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.bus import discovery
from edge.bus.discovery import Found
from edge.client import Received, Subscription
from edge.commands.text import format_message, printable
from edge.commands.watch_table import CLEAR_SCREEN, Row, picture
from edge.config import Config

OK, FAILED = 0, 1
REDRAW_S = 0.25


def watch(device: Subscription, count: int | None, as_json: bool) -> int:
    """Show what comes until `count` messages or Ctrl-C. Returns the exit code."""
    if count is None and not as_json and sys.stdout.isatty():
        return _show(device)
    left = count
    while left is None or left > 0:
        for heard in device.wait(1.0)[:left]:
            print(json_line(heard) if as_json else word_line(heard))
            left = None if left is None else left - 1
        sys.stdout.flush()
    return OK


def json_line(heard: Received) -> str:
    """The message as it was sent, with its topic."""
    return msgspec.json.encode(
        {"topic": heard.topic, **msgspec.to_builtins(heard.message)}
    ).decode()


def word_line(heard: Received) -> str:
    message = heard.message
    said = f"{heard.topic:<16} {format_message(message)}"
    return f"{printable(message.device)}  {said}  ({heard.age_s:.1f} s ago)"


def _show(device: Subscription) -> int:
    """The live view, until Ctrl-C."""
    newest: dict[tuple[str, str], tuple[Received, float]] = {}
    print(end=CLEAR_SCREEN)
    while True:
        now_s = time.monotonic()
        for heard in device.wait(REDRAW_S):
            newest[heard.message.device, heard.topic] = (heard, now_s)
        now_s = time.monotonic()
        rows = [Row(h.topic, h.message, h.age_s + now_s - at_s) for h, at_s in newest.values()]
        note = "live" if rows else "waiting"
        note = "nothing comes: what is shown is old" if device.stale else note
        size = shutil.get_terminal_size()
        print(end=picture(rows, f"{device.endpoint}: {note}. Ctrl-C ends.", size), flush=True)
        time.sleep(REDRAW_S)


def watch_here(
    config: Config, topics: Sequence[str], count: int | None, as_json: bool, choose: bool
) -> int:
    """Watch this host's own device where it runs; else list those on the network.

    `choose`: list also where this device runs and others are there, too. Returns the exit code.
    """
    here = config.endpoint("out") if answers(config.directory / "out") else None
    if here is None or choose:
        found, why = find_devices()
        others = [one for one in found if here is None or one.device != config.device_name]
        if others:
            print(as_list(others, here))
            return OK
        print(f"emotion-edge watch: {why}", file=sys.stderr)
    if here is None:
        return FAILED
    with Subscription(here, topics) as device:
        return watch(device, count, as_json)


def answers(path: Path) -> bool:
    """Whether a program listens at this local socket."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def find_devices() -> tuple[list[Found], str]:
    """Who is on the network; the text says why nobody else is there, and the mend."""
    try:
        return discovery.find(), (
            "no other device found on this network (they are where bus.bind is open to it); "
            "name one: emotion-edge watch tcp://HOST:5556 --key FILE"
        )
    except ImportError:
        return [], "cannot look for other devices: pip install zeroconf, or name one"
    except OSError as error:
        return [], f"cannot look for other devices ({error.strerror}); name one"


def as_list(found: Sequence[Found], here: str | None) -> str:
    """A line for each device, and under it the command that watches it."""
    lines = [] if here is None else ["this device", f"    emotion-edge watch {here}"]
    for device in found:
        key = " --key FILE" if device.locked else ""
        lines.append(f"{device.device}  ({device.version})")
        lines.append(f"    emotion-edge watch {device.endpoint}{key}")
    return "\n".join(lines)
