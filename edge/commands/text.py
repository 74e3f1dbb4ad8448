"""Messages and errors as text for terminals: one line each."""

import sys

from edge.bus.messages import (
    AudioMessage,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
    Press,
    Preview,
    RecordingMessage,
)


def print_error(command: str, error: object) -> None:
    """One line to stderr, as every command reports what went wrong."""
    print(f"emotion-edge {command}: {error}", file=sys.stderr)


def printable(text: str) -> str:
    """Without control characters, which a terminal would act on instead of showing them."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


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
    if isinstance(message, HealthMessage):
        return _health(message)
    if isinstance(message, Preview):
        return f"frame {message.frame_seq}, {len(message.jpeg) / 1000:.0f} kB"
    assert isinstance(message, Press)
    return f"{message.trigger} pressed"


def _face(message: FaceMessage) -> str:
    if not message.faces:
        return "no face"
    return ", ".join(
        f"#{face.id} {face.emotion} {face.confidence:.2f}{' (held)' if face.held else ''}"
        for face in message.faces
    )


def _recording(message: RecordingMessage) -> str:
    if message.phase != "recording":
        return message.phase
    level = "" if message.level_dbfs is None else f", {message.level_dbfs:.0f} dBFS"
    return f"recording {message.elapsed_s:.1f} s{level}"


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
