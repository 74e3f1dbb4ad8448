"""`watch` in a terminal: the newest of every topic, a block for each device.

Where the terminal is small the health of all services becomes one line, and then everything gives
way but faces, voice and emotion.
"""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from edge.bus.messages import (
    TOPICS,
    AudioMessage,
    Emotion,
    FaceMessage,
    FaceResult,
    HealthMessage,
    Message,
)
from edge.commands.text import ENGLISH, format_face, format_message, printable
from edge.language import Language

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
CLEAR_SCREEN = "\x1b[2J"
AGE_WIDTH = 8
"""Characters: "  12.3 s"."""
HEALTH = "health."
MAIN = frozenset({"face", "recording", "audio", "emotion"})
CORE = MAIN - {"recording"}
NARROW, TINY = 60, 40
"""columns; below it bars and topics are shorter"""

# Of the sixteen that every terminal has, as its user chose them; the label is always beside it.
COLOURS = {
    **{"angry": "\x1b[31m", "disgust": "\x1b[32m", "fear": "\x1b[35m", "happy": "\x1b[33m"},
    **{"sad": "\x1b[34m", "surprise": "\x1b[36m", "calm": "\x1b[92m"},
    **{"fearful": "\x1b[35m", "surprised": "\x1b[36m"},
}

Span = tuple[str, str]
"""Text, and the escape sequence of its style or nothing."""


class Row(NamedTuple):
    topic: str
    message: Message
    age_s: float
    """From the capture to now."""

    @property
    def is_current(self) -> bool:
        return TOPICS[self.topic].is_current(self.age_s)


class Style(NamedTuple):
    """What the terminal shows."""

    columns: int = 80
    lines: int = 24
    colours: bool = True
    blocks: bool = True
    """It has the characters of which smooth bars are made."""
    words: Language = ENGLISH


def style_of(size: tuple[int, int], words: Language) -> Style:
    """For this terminal of (columns, lines). NO_COLOR: no-color.org."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    colours = not os.environ.get("NO_COLOR")
    return Style(*size, colours=colours, blocks=utf8, words=words)


def render_table(rows: Iterable[Row], note: str, style: Style) -> str:
    """The whole screen. `note`: its last line."""
    room = style.lines - 2
    lines = _that_fit(sorted(rows, key=_order), room, style)[: max(0, room)]
    shown = [*lines, f"{DIM}{printable(note)[: style.columns - 1]}{PLAIN}"]
    return HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in shown) + CLEAR_BELOW


def _order(row: Row) -> tuple[str, int]:
    """By device, and then as in the contract."""
    return row.message.device, list(TOPICS).index(row.topic)


def _that_fit(rows: Sequence[Row], room: int, style: Style) -> list[str]:
    """As much as there is room for; the last resort may still be too long."""
    for topics, titles in ((set(TOPICS), True), ({*MAIN, HEALTH}, True), (MAIN, True)):
        lines = list(_blocks(rows, topics, titles, style))
        if len(lines) <= room:
            return lines
    return list(_blocks(rows, CORE, len({row.message.device for row in rows}) > 1, style))


def _blocks(
    rows: Sequence[Row], topics: Collection[str], titles: bool, style: Style
) -> Iterator[str]:
    """A title for each device, and its topics; `HEALTH` in `topics` is that of all services."""
    for device, group in groupby(rows, key=lambda row: row.message.device):
        block = list(group)
        if titles:
            yield f"{BOLD}{printable(device)[: style.columns - 1]}{PLAIN}"
        yield from (_line(row, style) for row in block if row.topic in topics)
        if HEALTH in topics:
            yield from _health_of_all(block, style)


def _health_of_all(rows: Iterable[Row], style: Style) -> Iterator[str]:
    """One line: the services that are not well, or how many are."""
    health = [row for row in rows if isinstance(row.message, HealthMessage)]
    if not health:
        return
    words = style.words
    problems = [problem for row in health if (problem := _problem(row, words))]
    text = "; ".join(problems) or words("watch.services_ok", count=len(health))
    yield _columns("health", [(printable(text), "")], min(row.age_s for row in health), style)


def _problem(row: Row, words: Language) -> str:
    message, name = row.message, row.topic.removeprefix(HEALTH)
    assert isinstance(message, HealthMessage)
    if not row.is_current:
        return words("watch.silent", service=name)
    state = words(f"state.{message.state}")
    return "" if message.state == "ok" else f"{name} {state}: {message.detail}"


def _line(row: Row, style: Style) -> str:
    """Topic, text, age; dim where it is out of date."""
    spans = list(_spans(row.message, style))
    if row.is_current:
        return _columns(row.topic, spans, row.age_s, style)
    plain = _columns(row.topic, [(text, "") for text, _ in spans], row.age_s, style)
    return f"{DIM}{plain}{PLAIN}"


def _columns(topic: str, spans: Iterable[Span], age_s: float, style: Style) -> str:
    left = f"  {topic:<15} " if style.columns >= NARROW else f"{topic:<9} "
    width = max(0, style.columns - 1 - AGE_WIDTH)
    age = f"{style.words.decimal(age_s):>6} s"
    return _fitted([(left, ""), *spans], width, style.colours) + age


def _fitted(spans: Iterable[Span], width: int, colours: bool) -> str:
    """Cut or filled up to `width` characters; a colour ends with its text."""
    parts, left = [], width
    for text, escape in spans:
        text = text[:left]
        left -= len(text)
        parts.append(f"{escape}{text}{PLAIN}" if escape and text and colours else text)
    return "".join(parts) + " " * left


def _spans(message: Message, style: Style) -> Iterator[Span]:
    """A message's text; before each emotion a bar of its score, in its colour."""
    if isinstance(message, FaceMessage) and message.faces:
        for number, face in enumerate(message.faces):
            yield f"{', ' if number else ''}#{face.id} ", ""
            yield from _scored(face, format_face(face, style.words), style)
        return
    text = format_message(message, style.words)
    if isinstance(message, AudioMessage | Emotion):
        yield from _scored(message, text, style)
    else:
        yield text, ""


def _scored(result: FaceResult | AudioMessage | Emotion, text: str, style: Style) -> Iterator[Span]:
    """A text that begins with an emotion; any other, such as of silence, stays as it is."""
    label = printable(style.words.emotion(result.emotion or ""))
    if not label or not text.startswith(label):
        yield text, ""
        return
    colour = COLOURS.get(result.emotion or "", "")
    if style.columns >= TINY:
        width = 10 if style.columns >= NARROW else 4
        yield f"{bar(result.confidence or 0.0, width, style.blocks)} ", colour
    yield label, colour
    yield text.removeprefix(label), ""


def bar(score: float, width: int, blocks: bool) -> str:
    """`score` (0 to 1) as a bar of `width` characters; with `blocks` in eighths of one."""
    if not blocks:
        return f"{'#' * round(score * width):-<{width}}"
    whole, eighths = divmod(round(score * width * 8), 8)
    return f"{'█' * whole}{['', *'▏▎▍▌▋▊▉'][eighths]}".ljust(width, "·")
