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
    Message,
    Press,
    Preview,
    RecordingMessage,
)
from edge.errors import UserError

Format = Literal["text", "json", "csv"]
"""Of what a command prints: for people, or for programs."""


class OutputError(UserError):
    """Standard output is full or gone."""


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


def format_message(message: Message) -> str:
    """A message's content in one printable line of at most about 100 characters."""
    return printable(_format(message))


def _format(message: Message) -> str:
    if isinstance(message, FaceMessage):
        return _face(message)
    if isinstance(message, RecordingMessage):
        return _recording(message)
    if isinstance(message, AudioMessage):
        return _audio(message)
    if isinstance(message, Emotion):
        return _emotion(message)
    if isinstance(message, Change):
        return f"{message.emotion}, after {message.lasted_s:.1f} s of {message.previous}"
    if isinstance(message, HealthMessage):
        return _health(message)
    if isinstance(message, Preview):
        return f"frame {message.frame_seq}, {len(message.jpeg) / 1000:.0f} kB"
    assert isinstance(message, Press)
    return f"{message.trigger} pressed"


def _face(message: FaceMessage) -> str:
    if not message.faces:
        return "no face"
    return ", ".join(f"#{face.id} {format_face(face)}" for face in message.faces)


def format_face(face: FaceResult) -> str:
    """A face's emotion, score and whether it is held; printable."""
    held = " (held)" if face.held else ""
    return printable(f"{face.emotion} {face.confidence:.2f}{held}")


def _recording(message: RecordingMessage) -> str:
    if message.phase not in ("waiting", "recording"):
        return message.phase
    phase = "speak now" if message.phase == "waiting" else "recording"
    level = "" if message.level_dbfs is None else f", {message.level_dbfs:.0f} dBFS"
    return f"{phase} {message.elapsed_s:.1f} s{level}"


def _audio(message: AudioMessage) -> str:
    if not message.speech:
        return f"nobody spoke ({message.level_dbfs:.0f} dBFS)"
    return f"{message.emotion} {message.confidence or 0:.2f}"


def _emotion(message: Emotion) -> str:
    used = [
        f"{name} {age_s:.1f} s ago"
        for name, age_s in (("face", message.face_age_s), ("voice", message.voice_age_s))
        if age_s is not None
    ]
    if not used:
        return "neither a face nor a voice"
    return f"{message.emotion} {message.confidence:.2f} ({', '.join(used)})"


def _health(message: HealthMessage) -> str:
    celsius = "" if message.soc_c is None else f", {message.soc_c:.0f} °C"
    detail = f": {message.detail}" if message.detail else ""
    return f"{message.state}, {message.rate_hz:.1f}/s, {message.rss_mb:.0f} MB{celsius}{detail}"
