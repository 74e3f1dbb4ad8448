"""The picture: the frame, what was found in it, and what people in front of it should read."""

from functools import partial

import cv2
import numpy as np

from edge.overlay import drawing
from edge.overlay.bars import small_px
from edge.overlay.drawing import (
    AMBER,
    BACKGROUND,
    CARD_BACKGROUND,
    GREY,
    RED,
    TEXT,
    TRACK,
    Colour,
    Rect,
)
from edge.overlay.faces import draw_faces, scaled
from edge.overlay.places import NOBODY
from edge.overlay.snapshot import Snapshot
from edge.types import Image

LOST_BRIGHTNESS = 0.25
CALL, LARGE, MEDIUM = 2.6, 1.9, 1.25
"""units; letters of "speak now", of a headline, and of what is under it"""
OVER_FACES = 0.2
"""Of the call to speak, so much may cover faces where it finds no place beside them."""
SIGN_SHADE = 0.75
"""How far the picture is darkened below what stands on it in a corner."""
BRACKET = 0.55, 0.12
"""Of the picture's height: where an inviting frame for a face stands, and the arms' length."""


def draw(image: Image, stage: Rect, unit: float, frame: Image | None, snapshot: Snapshot) -> None:
    """Draw onto the stage. `frame`: (height, width, 3) uint8 BGR, or None before there is one."""
    place = stage
    if frame is not None:
        place = letterboxed((frame.shape[1], frame.shape[0]), stage)
        _draw_frame(image, place, unit, frame, snapshot)
    if snapshot.camera_lost:
        _draw_notice(image, stage, unit, snapshot.language("camera.lost"), snapshot.camera_reason)
    elif frame is None and not snapshot.is_off("camera"):
        reason = snapshot.camera_reason
        _draw_notice(image, stage, unit, snapshot.language("camera.waiting"), reason)
    elif snapshot.phase in ("waiting", "recording", "analysing"):
        _draw_recording(image, place, unit, snapshot)
    elif frame is None:
        _draw_microphone(image, place.x + place.w // 2, place.y + place.h // 3, 3 * unit)
        _draw_invitation(image, place, unit, snapshot, snapshot.language("invite.speak"))
    elif snapshot.is_deserted:
        _draw_brackets(image, place, unit)
        _draw_invitation(image, place, unit, snapshot, snapshot.language("invite.face"))
    _draw_signs(image, stage, unit, snapshot)


def _draw_signs(image: Image, stage: Rect, unit: float, snapshot: Snapshot) -> None:
    """In the upper corners, whatever else is shown: who stands there is recorded, or watched."""
    viewers, is_recording = snapshot.viewers, snapshot.is_recording_data
    left = stage._replace(w=stage.w // 2) if viewers and is_recording else stage
    if is_recording:
        _draw_sign(image, left, unit, snapshot.language("recording_data"), RED)
    if viewers:
        key = "viewers.one" if viewers == 1 else "viewers.many"
        text = snapshot.language(key, count=viewers)
        right = left._replace(x=stage.right - left.w)
        _draw_sign(image, right, unit, text, AMBER, at_the_right=True)


def _draw_sign(
    image: Image, room: Rect, unit: float, text: str, colour: Colour, at_the_right: bool = False
) -> None:
    """A dot and a few words, as large as the room's width allows."""
    size_px, gap = small_px(unit), round(0.5 * unit)
    most_px = room.w - 7 * gap
    size_px = min(size_px, size_px * most_px // max(1, drawing.width_px(text, size_px)))
    radius = round(0.3 * size_px)
    width = drawing.width_px(text, size_px) + 2 * radius + 3 * gap
    x = room.right - gap - width if at_the_right else room.x + gap
    sign = Rect(x, room.y + gap, width, drawing.height_px(size_px) + gap)
    drawing.darken(image, sign, SIGN_SHADE)
    middle = sign.x + gap + radius, sign.y + sign.h // 2
    cv2.circle(image, middle, radius, colour, cv2.FILLED, cv2.LINE_AA)
    x = sign.x + 2 * gap + 2 * radius
    drawing.draw_text(image, text, x, sign.y + gap // 2, size_px, TEXT)


def letterboxed(size: tuple[int, int], stage: Rect) -> Rect:
    """Where a frame of (w, h) px stands in the stage: whole, centred, its shape kept."""
    scale = min(stage.w / size[0], stage.h / size[1])
    w, h = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return Rect(stage.x + (stage.w - w) // 2, stage.y + (stage.h - h) // 2, w, h)


def _draw_frame(image: Image, place: Rect, unit: float, frame: Image, snapshot: Snapshot) -> None:
    """The frame, dimmed where the camera is lost, so that nobody takes it for live."""
    # Averaging is several times slower, and only shows where pixels would be skipped.
    way = cv2.INTER_AREA if place.w < frame.shape[1] / 2 else cv2.INTER_LINEAR
    shown = place.of(image)
    shown[:] = cv2.resize(frame, (place.w, place.h), interpolation=way)
    if snapshot.camera_lost:
        shown[:] = cv2.convertScaleAbs(shown, alpha=LOST_BRIGHTNESS)
    elif snapshot.face is not None:
        followed = snapshot.fused.face_id if snapshot.fused else None
        size = snapshot.face.frame_size
        language, memory = snapshot.language, snapshot.places
        draw_faces(shown, unit, snapshot.faces, size, followed, language, memory)


def _draw_notice(image: Image, stage: Rect, unit: float, headline: str, reason: str) -> None:
    """What is waited for, in the middle, under the outline of a camera."""
    middle, y = stage.x + stage.w // 2, stage.y + stage.h // 2
    _draw_camera(image, middle, y - round(3 * unit), unit)
    drawing.draw_text(image, headline, middle, y, round(LARGE * unit), TEXT, align=0.5)
    y += round(2.9 * unit)
    size_px, room = small_px(unit), stage.w - round(2 * unit)
    for line in drawing.wrap(reason, size_px, max(1, room), 3):
        drawing.draw_text(image, line, middle, y, size_px, TEXT, align=0.5)
        y += drawing.height_px(size_px)


def _draw_camera(image: Image, x: int, y: int, unit: float) -> None:
    """The outline of a camera around (x, y)."""
    thick = max(2, round(0.14 * unit))
    across, hump = round(2.2 * unit), round(0.9 * unit)
    top, foot, over = y - round(1.3 * unit), y + round(1.6 * unit), y - round(1.9 * unit)
    half = [(0, foot), (across, foot), (across, top), (hump, top), (round(0.6 * unit), over)]
    points = [(x + dx, at) for dx, at in half] + [(x - dx, at) for dx, at in reversed(half)]
    cv2.polylines(image, [np.array(points, np.int32)], True, GREY, thick, cv2.LINE_AA)
    cv2.circle(image, (x, y + thick), round(0.85 * unit), GREY, thick, cv2.LINE_AA)


def _draw_microphone(image: Image, x: int, y: int, size: float) -> None:
    """The outline of a microphone around (x, y), about twice `size` px high."""
    thick = max(2, round(0.09 * size))
    half, height = round(0.36 * size), round(1.1 * size)
    capsule = Rect(x - half, y - height, 2 * half, height)
    drawing.outline(image, capsule, GREY, thick, half, dashed=False)
    middle, axes = (x, y - round(0.3 * size)), (round(0.66 * size), round(0.66 * size))
    cv2.ellipse(image, middle, axes, 0, 0, 180, GREY, thick, cv2.LINE_AA)
    top, foot, side = middle[1] + axes[1], y + round(0.75 * size), round(0.35 * size)
    cv2.line(image, (x, top), (x, foot), GREY, thick, cv2.LINE_AA)
    cv2.line(image, (x - side, foot), (x + side, foot), GREY, thick, cv2.LINE_AA)


def _draw_brackets(image: Image, place: Rect, unit: float) -> None:
    """Four corners in the middle of the picture: here a face would be seen."""
    side, arm = (round(part * place.h) for part in BRACKET)
    x, y = place.x + (place.w - side) // 2, place.y + round(0.08 * place.h)
    corners = [
        (x, y, 1, 1),
        (x + side, y, -1, 1),
        (x, y + side, 1, -1),
        (x + side, y + side, -1, -1),
    ]
    lines = [
        np.array([(cx + right * arm, cy), (cx, cy), (cx, cy + down * arm)], np.int32)
        for cx, cy, right, down in corners
    ]
    thick = max(2, round(0.22 * unit))
    cv2.polylines(image, lines, False, BACKGROUND, 2 * thick, cv2.LINE_AA)
    cv2.polylines(image, lines, False, TEXT, thick, cv2.LINE_AA)


def _draw_invitation(
    image: Image, place: Rect, unit: float, snapshot: Snapshot, headline: str
) -> None:
    """A headline, and how to record where that can be done."""
    large, medium = round(LARGE * unit), round(MEDIUM * unit)
    room = place.w - round(3 * unit)
    hint = _hint(snapshot, unit, room)
    large = min(large, large * room // max(1, drawing.width_px(headline, large)))
    height = drawing.height_px(large) + (round(2.3 * unit) if hint else 0) + round(1.2 * unit)
    width = max(drawing.width_px(headline, large), hint_width(hint, medium)) + round(2.4 * unit)
    panel = _at_foot(place, unit, min(width, place.w - round(unit)), height)
    drawing.card(image, panel, CARD_BACKGROUND, round(0.4 * unit))
    middle, y = panel.x + panel.w // 2, panel.y + round(0.6 * unit)
    drawing.draw_text(image, headline, middle, y, large, TEXT, align=0.5, max_px=room)
    if hint:
        y += drawing.height_px(large) + round(0.6 * unit)
        draw_hint(image, hint, middle, y, medium, align=0.5, max_px=room)


def _hint(snapshot: Snapshot, unit: float, room: int) -> str:
    """How to record, and what to say where that has room; empty where nobody can."""
    if snapshot.is_off("audio") or not (snapshot.has_keys or snapshot.has_button):
        return ""
    short = press_hint(snapshot)
    long = f"{short} {snapshot.language('invite.and_speak')}"
    if snapshot.is_off("camera"):
        return short
    return long if hint_width(long, small_px(unit)) <= room else short


def _at_foot(place: Rect, unit: float, width: int, height: int) -> Rect:
    """Of this size, in the middle of the picture's foot."""
    x = place.x + (place.w - width) // 2
    return Rect(x, place.bottom - height - round(0.8 * unit), width, height)


def _beside_faces(place: Rect, unit: float, foot: Rect, snapshot: Snapshot) -> Rect:
    """At the foot or the head of the picture, where it leaves the faces free; it stays there."""
    faces, bounds = snapshot.face, place._replace(x=0, y=0)
    if faces is None or min(faces.frame_size) <= 0:
        return foot
    boxes = [scaled(face, faces.frame_size, bounds) for face in snapshot.faces]
    taken = [box._replace(x=box.x + place.x, y=box.y + place.y) for box in boxes]

    def is_free(panel: Rect, share: float = 0.0) -> bool:
        covered = sum(panel.shared_px(box) for box in taken)
        return covered <= share * panel.w * panel.h

    margin = place.bottom - foot.bottom
    columns = (foot.x, place.x + margin, place.right - margin - foot.w)
    rows = (foot.y, place.y + margin)
    options = [foot._replace(x=x, y=y) for x in columns for y in rows]
    choose, gap = partial(snapshot.places.choose, NOBODY), round(0.25 * unit)
    beside = choose("call", options, is_free, gap)
    return beside or choose("call over", options, partial(is_free, share=OVER_FACES), gap) or foot


def _draw_recording(image: Image, place: Rect, unit: float, snapshot: Snapshot) -> None:
    """A rim around the picture, and at its foot what to do now, or what is being done."""
    colour = {"waiting": AMBER, "recording": RED}.get(snapshot.phase, TRACK)
    thick = max(3, round(0.3 * unit))
    rim = place.inset(thick // 2)
    drawing.outline(image, rim, colour, thick, thick, dashed=False)
    size_px = round((LARGE if snapshot.phase == "analysing" else CALL) * unit)
    text = snapshot.language(f"microphone.{snapshot.phase}")
    room = place.w - round(5 * unit)
    size_px = min(size_px, size_px * room // max(1, drawing.width_px(text, size_px)))
    dot = round(0.36 * size_px)
    width = drawing.width_px(text, size_px) + 4 * dot + round(1.6 * unit)
    height = drawing.height_px(size_px) + round(1.4 * unit)
    panel = _beside_faces(place, unit, _at_foot(place, unit, width, height), snapshot)
    drawing.card(image, panel, CARD_BACKGROUND, round(0.4 * unit))
    _draw_call(image, panel, unit, text, size_px, colour)
    if snapshot.phase == "recording":
        _draw_progress(image, panel, unit, snapshot)


def _draw_call(
    image: Image, panel: Rect, unit: float, text: str, size_px: int, colour: Colour
) -> None:
    dot = round(0.36 * size_px)
    x, y = panel.x + round(0.8 * unit), panel.y + round(0.5 * unit)
    centre = (x + dot, y + drawing.height_px(size_px) // 2)
    cv2.circle(image, centre, dot, colour, cv2.FILLED, cv2.LINE_AA)
    drawing.draw_text(image, text, x + 3 * dot, y, size_px, TEXT)


def _draw_progress(image: Image, panel: Rect, unit: float, snapshot: Snapshot) -> None:
    """How far the recording is, at the panel's foot."""
    assert snapshot.recording is not None
    thick, margin = max(3, round(0.3 * unit)), round(0.8 * unit)
    line = Rect(panel.x + margin, panel.bottom - 2 * thick, panel.w - 2 * margin, thick)
    drawing.bar(image, line, snapshot.recording.elapsed_s / snapshot.recording_s, RED)


def press_hint(snapshot: Snapshot) -> str:
    """How a recording is started here; keys stand in brackets."""
    where = "both" if snapshot.has_button else "key"
    if not snapshot.has_keys:
        where = "button" if snapshot.has_button else "command"
    return snapshot.language(f"press.{where}")


def hint_width(hint: str, size_px: int) -> int:
    """How wide `draw_hint` writes it, px."""
    return sum(width for _, _, width in _parts(hint, size_px))


def draw_hint(
    image: Image,
    hint: str,
    x: int,
    y: int,
    size_px: int,
    *,
    align: float = 0.0,
    max_px: int,
) -> None:
    """One line in which what stands in brackets is drawn as a key; smaller where it must be."""
    size_px = min(size_px, size_px * max_px // max(1, hint_width(hint, size_px)))
    x -= round(align * hint_width(hint, size_px))
    for text, is_key, width in _parts(hint, size_px):
        if is_key:
            key = drawing.chip_bitmap(text, size_px, TEXT, TRACK)
            above = (key.height_px - drawing.height_px(size_px)) // 2
            drawing.blit(image, x, y - above, key)
        else:
            drawing.draw_text(image, text, x, y, size_px)
        x += width


def _parts(hint: str, size_px: int) -> list[tuple[str, bool, int]]:
    """(text, whether it is a key, its width in px), from left to right."""
    texts = hint.replace("]", "[").split("[")
    return [
        (
            text,
            index % 2 == 1,
            drawing.chip_bitmap(text, size_px, TEXT, TRACK).width_px
            if index % 2
            else drawing.width_px(text, size_px),
        )
        for index, text in enumerate(texts)
    ]
