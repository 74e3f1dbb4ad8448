"""`watch` in a terminal: the newest of every topic, a block for each device."""

from collections.abc import Iterable
from typing import NamedTuple

from edge.bus.messages import TOPICS, Message
from edge.commands.text import format_message, printable

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
CLEAR_SCREEN = "\x1b[2J"
AGE_WIDTH = 8
"""Characters: "  12.3 s"."""


class Row(NamedTuple):
    topic: str
    message: Message
    age_s: float
    """From the capture to now."""


def render_table(rows: Iterable[Row], note: str, size: tuple[int, int]) -> str:
    """The whole screen. `note`: its last line; `size`: (columns, lines) of the terminal."""
    lines = [*_blocks(rows, size[0]), f"{DIM}{printable(note)[: size[0] - 1]}{PLAIN}"]
    shown = lines[-(size[1] - 1) :]
    return HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in shown) + CLEAR_BELOW


def _blocks(rows: Iterable[Row], columns: int) -> list[str]:
    """A title for each device, and its topics in the contract's order."""
    order = list(TOPICS)
    lines: list[str] = []
    device = None
    for row in sorted(rows, key=lambda row: (row.message.device, order.index(row.topic))):
        if row.message.device != device:
            device = row.message.device
            lines.append(f"{BOLD}{printable(device)[: columns - 1]}{PLAIN}")
        lines.append(_line(row, columns))
    return lines


def _line(row: Row, columns: int) -> str:
    """Topic, text, age; dim where it is out of date."""
    width = max(0, columns - 1 - AGE_WIDTH)
    text = f"  {row.topic:<15} {format_message(row.message)}"[:width]
    line = f"{text:<{width}}{row.age_s:6.1f} s"
    return line if TOPICS[row.topic].is_current(row.age_s) else f"{DIM}{line}{PLAIN}"
