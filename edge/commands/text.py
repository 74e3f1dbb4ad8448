"""Messages, names and errors as text for terminals: one line each.

What other programs, files and hosts are called or send comes to a terminal through `printable` or
`printable_json`, and no other way.
"""

import contextlib
import json
import sys
from typing import Literal

from edge.bus.messages import (
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    FaceResult,
    HealthMessage,
    Mark,
    Message,
    Press,
    Preview,
    RecordingMessage,
)
from edge.errors import UserError
from edge.language import Language, load_language

Format = Literal["text", "json", "csv"]
"""Of what a command prints: for people, or for programs."""

ENGLISH = load_language()


class OutputError(UserError):
    """Standard output is full or gone."""


def counted(count: int, noun: str) -> str:
    """ "1 day", "2 days"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def size(count: int) -> str:
    """So many bytes: "0.2 MB", and below that "12 kB"."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{-(-count // 1000)} kB"


def print_error(command: str, error: object) -> None:
    """One line to stderr, as every command reports what went wrong."""
    print_note(f"emotion-edge {command}: {error}")


def print_note(line: str) -> None:
    """One line to stderr, or nothing where that cannot be written."""
    with contextlib.suppress(OSError):
        print(printable(line), file=sys.stderr)


def print_line(line: str = "") -> None:
    """One line to stdout, at once. Raises OutputError."""
    write_output(f"{printable(line)}\n")


def write_output(text: str) -> None:
    """Text to stdout as it is, at once. Raises OutputError."""
    try:
        print(end=text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def printable(text: str) -> str:
    """Without control characters, which a terminal would act on instead of showing them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_json(text: str) -> str:
    """The same JSON with what a terminal would act on, or cannot show, as escapes."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    if text.isprintable() and (utf8 or text.isascii()):
        return text
    return "".join(
        c if c.isprintable() and (utf8 or c.isascii()) else json.dumps(c)[1:-1] for c in text
    )


def format_message(message: Message, words: Language = ENGLISH) -> str:
    """A message's content in one printable line of at most about 100 characters."""
    return printable(_format(message, words))


def _format(message: Message, words: Language) -> str:
    if isinstance(message, FaceMessage):
        return _face(message, words)
    if isinstance(message, RecordingMessage):
        return _recording(message, words)
    if isinstance(message, AudioMessage):
        return _audio(message, words)
    if isinstance(message, Emotion):
        return _emotion(message, words)
    if isinstance(message, Change):
        return _change(message, words)
    if isinstance(message, HealthMessage):
        return _health(message, words)
    if isinstance(message, Preview):
        size = f"{len(message.jpeg) / 1000:.0f}"
        return words("watch.frame", number=message.frame_seq, size=size)
    if isinstance(message, Mark):
        return words("watch.marked", text=message.text)
    assert isinstance(message, Press)
    return words("watch.pressed", trigger=words(f"trigger.{message.trigger}"))


def _face(message: FaceMessage, words: Language) -> str:
    if not message.faces:
        return words("watch.no_face")
    return ", ".join(f"#{face.id} {format_face(face, words)}" for face in message.faces)


def format_face(face: FaceResult, words: Language = ENGLISH) -> str:
    """A face's emotion, score and whether it is held; printable."""
    held = f" ({words('watch.held')})" if face.held else ""
    return printable(f"{_scored(face.emotion, face.confidence, words)}{held}")


def _scored(emotion: str, score: float, words: Language) -> str:
    return f"{words.emotion(emotion)} {words.decimal(score, 2)}"


def _recording(message: RecordingMessage, words: Language) -> str:
    if message.phase not in ("waiting", "recording"):
        return words(f"phase.{message.phase}")
    phase = words(f"microphone.{message.phase}")
    level = "" if message.level_dbfs is None else f", {message.level_dbfs:.0f} dBFS"
    return f"{phase} {words.decimal(message.elapsed_s)} s{level}"


def _audio(message: AudioMessage, words: Language) -> str:
    if not message.speech or message.emotion is None:
        return f"{words('voice.silent')} ({message.level_dbfs:.0f} dBFS)"
    return _scored(message.emotion, message.confidence or 0.0, words)


def _emotion(message: Emotion, words: Language) -> str:
    used = [
        words(f"watch.{name}_age", seconds=words.decimal(age_s))
        for name, age_s in (("face", message.face_age_s), ("voice", message.voice_age_s))
        if age_s is not None
    ]
    if not used:
        return words("watch.nothing")
    return f"{_scored(message.emotion, message.confidence, words)} ({', '.join(used)})"


def _change(message: Change, words: Language) -> str:
    return words(
        "watch.change",
        emotion=words.emotion(message.emotion),
        previous=words.emotion(message.previous),
        seconds=words.decimal(message.lasted_s),
    )


def _health(message: HealthMessage, words: Language) -> str:
    celsius = "" if message.soc_c is None else f", {message.soc_c:.0f} °C"
    detail = f": {message.detail}" if message.detail else ""
    rate = f"{words.decimal(message.rate_hz)}/s, {message.rss_mb:.0f} MB"
    return f"{words(f'state.{message.state}')}, {rate}{celsius}{detail}"
