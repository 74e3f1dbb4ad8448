"""The cards: the emotion, the voice, the microphone, and the state of everything.

Pure: each function draws a snapshot into its part of an image. Every length is in units of
`unit` px, which the caller chooses for the size of the screen.
"""

import cv2

from edge.bus.messages import VOICE_LABELS, AudioMessage, Emotion
from edge.language import Language
from edge.overlay import drawing, stage
from edge.overlay.bars import certainty, colour_of, draw_score, label_width, small_px
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
from edge.overlay.layout import MIN_TEXT_PX, STATUS
from edge.overlay.snapshot import Snapshot
from edge.types import Image

LARGE, MEDIUM = 3.0, 1.35
"""units; the size of the emotion's letters, and of a card's main line"""
MARGIN, LINE, ROW = 0.7, 1.45, 1.25
"""units; a card's margin, the height of a line, and that of a score"""
TWO_COLUMNS_FROM = 16.5
"""units; in a narrower card the voice's scores stand in one column"""
SILENT_DBFS, LOUD_DBFS = -60.0, -6.0
"""Ends of the level meter: a quiet room, and where a recording may soon clip."""


def _card(image: Image, rect: Rect, unit: float, headline: str) -> Rect:
    """A card with its headline; returns the part of it to write on."""
    drawing.card(image, rect, CARD_BACKGROUND, round(0.4 * unit))
    margin = round(MARGIN * unit)
    inner = Rect(rect.x + margin, rect.y + margin // 2, rect.w - 2 * margin, rect.h - margin)
    drawing.draw_text(image, headline, inner.x, inner.y, small_px(unit), MUTED, max_px=inner.w)
    return inner


def draw_emotion(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    """The fused emotion, large; whose it is; and of several people how many feel what."""
    text, fused = snapshot.language, snapshot.fused
    inner = _card(image, rect, unit, text("heading.emotion"))
    colour = colour_of(fused.emotion) if fused else TRACK
    edge = max(3, round(0.35 * unit))
    drawing.fill(image, Rect(rect.x, rect.y + edge, edge, rect.h - 2 * edge), colour)
    if fused is None:
        _draw_foot(image, inner, unit, text("fused.waiting"), GREY)
        return
    _draw_owner(image, inner, unit, snapshot, fused)
    word = text.emotion(fused.emotion)
    size_px = _fit_text(word, round(LARGE * unit), inner.w)
    y = inner.y + round((LINE + 0.05) * unit)
    drawing.draw_text(image, word, inner.x, y, size_px, colour, max_px=inner.w)
    y += drawing.height_px(round(LARGE * unit)) - round(0.05 * unit)
    basis, small = _basis(text, fused), small_px(unit)
    drawing.draw_text(image, basis, inner.x, y, small, TEXT, max_px=inner.w)
    if len(snapshot.faces) > 1:
        _draw_people(image, inner, unit, snapshot)


def _draw_owner(image: Image, inner: Rect, unit: float, snapshot: Snapshot, fused: Emotion) -> None:
    """The face whose emotion this is: its number, in the colour of its box."""
    faces = [face for face in snapshot.faces if face.id == fused.face_id]
    for face in faces:
        name = snapshot.language("fused.face", id=face.id)
        chip = drawing.chip_bitmap(name, small_px(unit), BACKGROUND, colour_of(face.emotion))
        drawing.blit(image, inner.right - chip.width_px, inner.y, chip)


def _draw_people(image: Image, inner: Rect, unit: float, snapshot: Snapshot) -> None:
    """How many feel what ("5 happy, 1 sad"), by initials where the names have no room."""
    text, small = snapshot.language, small_px(unit)
    for name in (text.emotion, text.initials):
        parts = [
            (text("people.feel", count=count, emotion=name(label)), colour_of(label))
            for label, count in snapshot.people
        ]
        if drawing.width_px(", ".join(part for part, _ in parts), small) <= inner.w:
            break
    x, y = inner.x, inner.bottom - drawing.height_px(small)
    for index, (part, colour) in enumerate(parts):
        comma = ", " if index else ""
        x += drawing.draw_text(image, comma, x, y, small, MUTED, max_px=inner.right - x)
        x += drawing.draw_text(image, part, x, y, small, colour, max_px=inner.right - x)


def _fit_text(text: str, size_px: int, max_px: int) -> int:
    """The largest size up to `size_px` at which the text is at most `max_px` wide."""
    fitting_px = size_px * max_px // max(1, drawing.width_px(text, size_px))
    return min(size_px, max(MIN_TEXT_PX, fitting_px))


def _basis(text: Language, fused: Emotion) -> str:
    """How sure, and from what."""
    source = "both" if fused.face_age_s is not None else "voice"
    if fused.voice_age_s is None:
        source = "face"
    confidence = certainty(text, fused.emotion, fused.confidence)
    return text(f"fused.from_{source}", confidence=confidence).strip()


def _draw_foot(image: Image, inner: Rect, unit: float, text: str, colour: Colour = MUTED) -> None:
    """A card's last line."""
    size_px = small_px(unit)
    y = inner.bottom - drawing.height_px(size_px)
    drawing.draw_text(image, text, inner.x, y, size_px, colour, max_px=inner.w)


def draw_voice(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    """The last recording's emotion and scores."""
    text, voice, small = snapshot.language, snapshot.voice, small_px(unit)
    heading = text("heading.voice")
    inner = _card(image, rect, unit, heading)
    x, room = inner.x + drawing.width_px(heading, small) + round(0.7 * unit), inner.right
    if voice is not None:
        age = text("number.ago", seconds=round(snapshot.age_s(voice.t_ns)))
        if x + drawing.width_px(f"{_voice_text(snapshot)} {age}", small) < inner.right:
            room -= drawing.draw_text(image, age, inner.right, inner.y, small, MUTED, align=1)
    label, colour = _voice_text(snapshot), _voice_colour(voice)
    drawing.draw_text(image, label, x, inner.y, small, colour, max_px=room - x)
    top = round((LINE + 0.25) * unit)
    _draw_bars(image, inner._replace(y=inner.y + top, h=inner.h - top), unit, text, voice)


def _voice_text(snapshot: Snapshot) -> str:
    text, voice = snapshot.language, snapshot.voice
    if voice is None:
        return text("voice.none" if snapshot.audio is None else "voice.old")
    if not voice.speech or voice.emotion is None:
        return text("voice.silent")
    sure = certainty(text, voice.emotion, voice.confidence or 0.0)
    return f"{text.emotion(voice.emotion)}  {sure}".rstrip()


def _voice_colour(voice: AudioMessage | None) -> Colour:
    return colour_of(voice.emotion) if voice and voice.emotion else GREY


def _draw_bars(
    image: Image, rect: Rect, unit: float, text: Language, voice: AudioMessage | None
) -> None:
    """The scores that there is room for, the highest; empty tracks while nobody has spoken."""
    scores = (voice.scores if voice else None) or dict.fromkeys(VOICE_LABELS, 0.0)
    columns = 2 if rect.w >= TWO_COLUMNS_FROM * unit else 1
    rows = min(-(-len(scores) // columns), int(rect.h / (ROW * unit)))
    best = sorted(scores, key=lambda label: -scores[label])[: rows * columns]
    shown = [label for label in scores if label in best]
    gap = round(unit)
    width, room = (rect.w - gap * (columns - 1)) // columns, label_width(text, scores, unit)
    for index, label in enumerate(shown):
        column, row = divmod(index, rows)
        top, foot = rect.y + row * rect.h // rows, rect.y + (row + 1) * rect.h // rows
        line = Rect(rect.x + column * (width + gap), top, width, foot - top)
        chosen = voice is not None and label == voice.emotion
        draw_score(image, line, room, unit, text, label, scores[label], best=chosen)


def draw_microphone(image: Image, rect: Rect, unit: float, snapshot: Snapshot) -> None:
    """How to record, or what is being recorded."""
    text, phase = snapshot.language, snapshot.phase
    inner = _card(image, rect, unit, text("heading.microphone"))
    if phase in ("waiting", "recording"):
        _draw_recording(image, inner, unit, snapshot)
    elif phase == "analysing":
        _draw_words(image, inner, unit, text("microphone.analysing"), text("microphone.moment"))
    elif snapshot.is_off("audio"):
        _draw_words(image, inner, unit, text("microphone.off"), "")
    elif phase == "idle" and not snapshot.is_degraded("audio"):
        _draw_idle(image, inner, unit, snapshot)
    else:
        down = text("microphone.not_ready" if phase else "microphone.unavailable")
        _draw_words(image, inner, unit, down, "")


def _draw_words(image: Image, inner: Rect, unit: float, large: str, small: str) -> None:
    y = _middle(inner, unit)
    drawing.draw_text(image, large, inner.x, y, round(MEDIUM * unit), max_px=inner.w)
    _draw_foot(image, inner, unit, small)


def _middle(inner: Rect, unit: float) -> int:
    """The upper edge of a card's main line."""
    return inner.y + round((LINE + 0.35) * unit)


def _draw_idle(image: Image, inner: Rect, unit: float, snapshot: Snapshot) -> None:
    """What to press, and what that does."""
    hint, size_px = stage.press_hint(snapshot), round(MEDIUM * unit)
    stage.draw_hint(image, hint, inner.x, _middle(inner, unit), size_px, max_px=inner.w)
    text = snapshot.language
    seconds = text.decimal(snapshot.recording_s, 0 if snapshot.recording_s % 1 == 0 else 1)
    _draw_foot(image, inner, unit, text("microphone.records", seconds=seconds))


def _draw_recording(image: Image, inner: Rect, unit: float, snapshot: Snapshot) -> None:
    """What to do or how long it still takes, how far it is, how loud it is."""
    recording, text = snapshot.recording, snapshot.language
    assert recording is not None
    waiting = recording.phase == "waiting"
    left_s = max(0.0, snapshot.recording_s - recording.elapsed_s)
    headline = text("microphone.waiting") if waiting else f"{text.decimal(left_s)} s"
    size_px, y = round(1.8 * unit), inner.y + round((LINE - 0.1) * unit)
    size_px = _fit_text(headline, size_px, inner.w)
    drawing.draw_text(image, headline, inner.x, y, size_px, AMBER if waiting else RED)
    thick = max(4, round(0.5 * unit))
    level = Rect(inner.x, inner.bottom - thick - round(0.1 * unit), inner.w, thick)
    if not waiting:
        done = level._replace(y=level.y - round(0.3 * unit) - thick)
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


def draw_status(
    image: Image, rect: Rect, unit: float, snapshot: Snapshot, lines: tuple[str, ...]
) -> None:
    """What is wrong, a line each; or that all is well, and how fast and late the picture is."""
    small, radius = small_px(unit), max(3, round(0.28 * unit))
    colour = AMBER if lines else GREEN
    left, y = rect.x + round(MARGIN * unit) + radius, rect.y
    middle = y + drawing.height_px(small) // 2
    cv2.circle(image, (left, middle), radius, colour, cv2.FILLED, cv2.LINE_AA)
    left, right = left + 2 * radius + round(0.2 * unit), rect.right - round(MARGIN * unit)
    if not lines:
        stats = _frame_stats(snapshot)
        right -= drawing.draw_text(image, stats, right, y, small, MUTED, align=1)
        well = snapshot.language("status.well")
        drawing.draw_text(image, well, left, y, small, MUTED, max_px=right - left)
    for line in lines:
        drawing.draw_text(image, line, left, y, small, AMBER, max_px=right - left)
        y += round(STATUS * unit)


def status_room(width: int, unit: float) -> int:
    """How wide a line of the status may be in so many px."""
    return max(1, width - 2 * round(MARGIN * unit) - round(1.5 * unit))


def _frame_stats(snapshot: Snapshot) -> str:
    """Frame rate and age of the frame."""
    text = snapshot.language
    if snapshot.is_off("camera"):
        return ""
    if snapshot.frame_age_s is None or snapshot.rate_hz is None:
        return text("status.no_frame")
    if snapshot.camera_lost:
        return text("status.last_frame", seconds=round(snapshot.frame_age_s))
    return text("status.rate", rate=round(snapshot.rate_hz), lag=round(snapshot.lag_ms or 0))
