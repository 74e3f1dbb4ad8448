"""The panel below the frame: the emotion, the voice, the microphone, and the state of everything.

Pure: it draws a snapshot into its part of an image. Every length is in units of `unit` px,
which the caller chooses for the size of the screen.
"""

import cv2

from edge.bus.messages import VOICE_LABELS, AudioMessage, Emotion
from edge.overlay import drawing
from edge.overlay.bars import MIN_TEXT_PX, colour_of, draw_score, small_px
from edge.overlay.drawing import (
    AMBER,
    BACKGROUND,
    CARD_BACKGROUND,
    GREEN,
    GREY,
    MUTED,
    RED,
    TEXT,
    TRACK,
    Colour,
    Rect,
)
from edge.overlay.snapshot import Snapshot
from edge.types import Image

HEIGHT = 8.2
"""units"""
STATUS_HEIGHT = 1.8
LARGE, MEDIUM = 2.5, 1.2
"""units; the size of the emotion's letters, and of a card's main line"""
BARS_FROM = 15
"""units; in a narrower column the voice has no bars"""
SILENT_DBFS, LOUD_DBFS = -60.0, -6.0
"""Ends of the level meter: a quiet room, and where a recording may soon clip."""


def draw(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    """Draw the panel into `rect` of the image."""
    drawing.fill(image, rect, BACKGROUND)
    status = Rect(rect.x, rect.bottom - round(STATUS_HEIGHT * unit), rect.w, 0)
    gap = round(0.5 * unit)
    cards = Rect(rect.x + gap, rect.y + gap, rect.w - 2 * gap, status.y - rect.y - gap)
    emotion, voice, microphone = _columns(cards, gap)
    _draw_emotion(image, emotion, unit, snapshot)
    _draw_voice(image, voice, unit, snapshot)
    _draw_microphone(image, microphone, unit, snapshot)
    _draw_status(image, status._replace(h=rect.bottom - status.y), unit, snapshot)


def _columns(rect: Rect, gap: int) -> tuple[Rect, Rect, Rect]:
    side = round((rect.w - 2 * gap) * 0.29)
    first, last = rect._replace(w=side), rect._replace(x=rect.right - side, w=side)
    middle = rect._replace(x=first.right + gap, w=rect.w - 2 * gap - 2 * side)
    return first, middle, last


def _card(image: Image, rect: Rect, unit: float, headline: str) -> Rect:
    """A card with its headline; returns the part of it to write on."""
    drawing.fill(image, rect, CARD_BACKGROUND)
    margin = round(0.6 * unit)
    inner = Rect(rect.x + margin, rect.y + margin // 2, rect.w - 2 * margin, rect.h - margin)
    drawing.draw_text(image, headline, inner.x, inner.y, small_px(unit), MUTED)
    return inner


def _draw_emotion(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    fused, edge = snapshot.fused, max(3, round(0.3 * unit))
    inner = _card(image, rect._replace(x=rect.x + edge, w=rect.w - edge), unit, "emotion")
    drawing.fill(image, rect._replace(w=edge), colour_of(fused.emotion) if fused else TRACK)
    if fused is None:
        _draw_foot(image, inner, unit, "waiting for a face or a voice", GREY)
        return
    large = _fit_text(fused.emotion, round(LARGE * unit), inner.w)
    y = inner.y + round(1.0 * unit)
    colour = colour_of(fused.emotion)
    drawing.draw_text(image, fused.emotion, inner.x, y, large, colour, max_px=inner.w)
    _draw_foot(image, inner, unit, _basis(fused), TEXT)


def _fit_text(text: str, size_px: int, max_px: int) -> int:
    """The largest size up to `size_px` at which the text is at most `max_px` wide."""
    fitting_px = size_px * max_px // max(1, drawing.width_px(text, size_px))
    return min(size_px, max(MIN_TEXT_PX, fitting_px))


def _basis(fused: Emotion) -> str:
    senses = [("face", fused.face_age_s), ("voice", fused.voice_age_s)]
    used = " and ".join(name for name, age_s in senses if age_s is not None)
    return f"{fused.confidence:.0%}  from {used}"


def _draw_voice(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    inner = _card(image, rect, unit, "voice")
    small, voice = small_px(unit), snapshot.voice
    x = inner.x + drawing.width_px("voice", small) + round(0.7 * unit)
    room = inner.right - x
    if voice is not None:
        age = f"{snapshot.age_s(voice.t_ns):.0f} s ago"
        room -= drawing.draw_text(image, age, inner.right, inner.y, small, MUTED, align=1)
    drawing.draw_text(
        image, _voice_text(voice), x, inner.y, small, _voice_colour(voice), max_px=room
    )
    bars = inner._replace(y=inner.y + round(1.45 * unit), h=inner.h - round(1.45 * unit))
    if inner.w >= BARS_FROM * unit:
        _draw_bars(image, bars, unit, voice)


def _voice_text(voice: AudioMessage | None) -> str:
    if voice is None:
        return "no recording yet"
    if not voice.speech or voice.emotion is None:
        return "nobody spoke"
    return f"{voice.emotion}  {voice.confidence or 0:.0%}"


def _voice_colour(voice: AudioMessage | None) -> Colour:
    return colour_of(voice.emotion) if voice and voice.emotion else GREY


def _draw_bars(image: Image, rect: Rect, unit: float, voice: AudioMessage | None) -> None:
    """Eight labels in two columns; empty tracks while nobody has spoken."""
    scores = (voice.scores if voice else None) or {}
    gap = round(1.0 * unit)
    half = (rect.w - gap) // 2
    rows = (len(VOICE_LABELS) + 1) // 2
    for index, label in enumerate(VOICE_LABELS):
        column, row = divmod(index, rows)
        line = Rect(
            rect.x + column * (half + gap), rect.y + row * rect.h // rows, half, rect.h // rows
        )
        best = voice is not None and label == voice.emotion
        draw_score(image, line, unit, label, scores.get(label, 0.0), best)


def _draw_microphone(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    inner = _card(image, rect, unit, "microphone")
    if snapshot.phase == "recording":
        _draw_recording(image, inner, unit, snapshot)
    elif snapshot.phase == "waiting":
        _draw_words(image, inner, unit, "speak now", "recording begins with the first word")
    elif snapshot.phase == "analysing":
        _draw_words(image, inner, unit, "analysing…", "a moment")
    elif snapshot.phase == "idle" and snapshot.is_degraded("audio"):
        _draw_words(image, inner, unit, "not ready", snapshot.health["audio"].detail)
    elif snapshot.phase == "idle":
        _draw_idle(image, inner, unit, snapshot)
    else:
        _draw_words(image, inner, unit, "off", "no voice for now")


def _draw_words(image: Image, inner: Rect, unit: float, large: str, small: str) -> None:
    drawing.draw_text(
        image, large, inner.x, _middle(inner, unit), round(MEDIUM * unit), max_px=inner.w
    )
    _draw_foot(image, inner, unit, small)


def _middle(inner: Rect, unit: float) -> int:
    """The upper edge of a card's main line."""
    return inner.y + round(1.5 * unit)


def _draw_foot(image: Image, inner: Rect, unit: float, text: str, colour: Colour = MUTED) -> None:
    """A card's last line."""
    size_px = small_px(unit)
    y = inner.bottom - drawing.height_px(size_px)
    drawing.draw_text(image, text, inner.x, y, size_px, colour, max_px=inner.w)


def _draw_idle(image: Image, inner: Rect, unit: float, snapshot: Snapshot) -> None:
    """Which key, drawn as a key, and what it does; without keys, the button."""
    size_px, left, y = round(MEDIUM * unit), inner.x, _middle(inner, unit)
    if snapshot.has_keys:
        key = drawing.chip_bitmap("a", size_px, TEXT, TRACK)
        drawing.blit(image, left, y - (key.height_px - drawing.height_px(size_px)) // 2, key)
        left += key.width_px + round(0.5 * unit)
    button = "or the button" if snapshot.has_keys else "the button"
    drawing.draw_text(image, button, left, y, size_px, max_px=inner.right - left)
    _draw_foot(image, inner, unit, f"press to record {snapshot.recording_s:g} s")


def _draw_recording(image: Image, inner: Rect, unit: float, snapshot: Snapshot) -> None:
    """How long it still takes, how far it is, how loud it is."""
    recording = snapshot.recording
    assert recording is not None
    left_s = max(0.0, snapshot.recording_s - recording.elapsed_s)
    size_px, y = round(1.7 * unit), inner.y + round(1.2 * unit)
    drawing.draw_text(image, f"{left_s:.1f} s", inner.x, y, size_px, RED, max_px=inner.w)
    thick = max(4, round(0.5 * unit))
    level = Rect(inner.x, inner.bottom - thick - round(0.2 * unit), inner.w, thick)
    done = level._replace(y=level.y - round(0.45 * unit) - thick)
    drawing.bar(image, done, recording.elapsed_s / snapshot.recording_s, RED)
    _draw_level(image, level, recording.level_dbfs)


def _draw_level(image: Image, rect: Rect, level_dbfs: float | None) -> None:
    """A meter of steps: green, amber near the top, red where it may clip."""
    steps = 16
    level = SILENT_DBFS if level_dbfs is None else level_dbfs
    lit = round((level - SILENT_DBFS) / (LOUD_DBFS - SILENT_DBFS) * (steps - 1))
    for step in range(steps):
        colour = RED if step == steps - 1 else AMBER if step >= steps - 4 else GREEN
        left, right = rect.x + step * rect.w // steps, rect.x + (step + 1) * rect.w // steps
        part = rect._replace(x=left, w=right - left - max(1, rect.w // 120))
        drawing.fill(image, part, colour if step < lit else TRACK)


def _draw_status(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    small = small_px(unit)
    y = rect.y + (rect.h - drawing.height_px(small)) // 2
    margin = round(1.1 * unit)
    right, stats = rect.right - margin, _frame_stats(snapshot)
    right -= drawing.draw_text(image, stats, right, y, small, MUTED, align=1) + 2 * margin
    radius = max(3, round(0.25 * unit))
    left = rect.x + margin + radius
    problems = snapshot.problems
    colour = AMBER if problems else GREEN
    cv2.circle(image, (left, rect.y + rect.h // 2), radius, colour, cv2.FILLED, cv2.LINE_AA)
    left += 3 * radius
    text = "  ·  ".join(problems) or "all well"
    ink = colour if problems else MUTED
    drawing.draw_text(image, text, left, y, small, ink, max_px=right - left)


def _frame_stats(snapshot: Snapshot) -> str:
    """Frame rate and age of the frame."""
    if snapshot.frame_age_s is None or snapshot.rate_hz is None:
        return "no frame yet"
    if snapshot.camera_lost:
        return f"last frame {snapshot.frame_age_s:.0f} s ago"
    return f"{snapshot.rate_hz:.0f} fps  ·  {snapshot.lag_ms or 0:.0f} ms"
