"""Frames in which nobody is: of pictures without people, and of made rooms."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.devices.camera.image_file import fit, read_image
from edge.types import Image

WIDTH, HEIGHT = 640, 480
NAMES = Path(__file__).with_name("empty_pictures.txt")
"""The packages' photographs without any face, of a person, an animal or a drawing, chosen by eye;
of stereo pairs one."""
MAX_PICTURE_PX = 2000
NEAREST = 0.4
"""The smallest part of a picture that a frame shows."""
Random = np.random.Generator


def pictures(folder: Path) -> list[Image]:
    """Those of the list, from what fetch_pictures.sh unpacked."""
    names = NAMES.read_text().splitlines()
    return [fit(read_image(folder / name), MAX_PICTURE_PX, MAX_PICTURE_PX) for name in names]


def frames_of(picture: Image, count: int, random: Random) -> Iterator[Image]:
    """`count` frames (480, 640, 3) as a camera could see parts of the picture."""
    height, width = picture.shape[:2]
    for _ in range(count):
        across = min(width, height * WIDTH / HEIGHT) * random.uniform(NEAREST, 1)
        down = across * HEIGHT / WIDTH
        left, top = int(random.uniform(0, width - across)), int(random.uniform(0, height - down))
        part = picture[top : int(top + down), left : int(left + across)]
        scaled = cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        yield as_filmed(scaled[:, :: random.choice((-1, 1))], random)


def as_filmed(image: NDArray[np.generic], random: Random) -> Image:
    """Under another light, with a sensor's noise."""
    lit = (image / 255.0) ** random.uniform(0.6, 1.6) * 255
    noisy = lit + random.normal(0, random.uniform(1, 10), lit.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def room(random: Random) -> Image:
    """A room in perspective, with what hangs and stands there (480, 640, 3)."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    back = _walls(image, random)
    things = (_window, _painting, _painting, _shelf, _clock, _lamp, _sofa, _plant, _door)
    for index in random.permutation(len(things))[: random.integers(3, len(things) + 1)]:
        things[index](image, back, random)
    light = np.linspace(random.uniform(0.5, 1), random.uniform(0.5, 1), WIDTH)[None, :, None]
    softened = cv2.GaussianBlur(image * light, (0, 0), random.uniform(0.4, 1.5))
    return as_filmed(softened, random)


Rectangle = tuple[int, int, int, int]
"""left, top, right, bottom, px"""


def _colour(random: Random, low: int = 30, high: int = 235) -> tuple[int, ...]:
    return tuple(int(value) for value in random.integers(low, high, 3))


def _walls(image: Image, random: Random) -> Rectangle:
    """Ceiling, floor and side walls around the back wall, which is returned."""
    left, top = int(random.uniform(20, 200)), int(random.uniform(10, 120))
    right, bottom = WIDTH - int(random.uniform(20, 200)), HEIGHT - int(random.uniform(60, 180))
    corners = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    inner = [(left, top), (right, top), (right, bottom), (left, bottom)]
    for side in range(4):
        after = (side + 1) % 4
        outline = np.array([corners[side], corners[after], inner[after], inner[side]], np.int32)
        cv2.fillPoly(image, [outline], _colour(random, 60))
    cv2.rectangle(image, (left, top), (right, bottom), _colour(random, 90), cv2.FILLED)
    return left, top, right, bottom


def _inside(back: Rectangle, random: Random, width: float, height: float) -> Rectangle:
    """A rectangle of about these px somewhere on the back wall."""
    left, top, right, bottom = back
    w, h = (int(random.uniform(0.6, 1.4) * side) for side in (width, height))
    x = int(random.integers(left, max(left + 1, right - w)))
    y = int(random.integers(top, max(top + 1, bottom - h)))
    return x, y, x + w, y + h


def _box(image: Image, where: Rectangle, colour: tuple[int, ...], line: int = cv2.FILLED) -> None:
    cv2.rectangle(image, where[:2], where[2:], colour, line)


def _window(image: Image, back: Rectangle, random: Random) -> None:
    where = x0, y0, x1, y1 = _inside(back, random, 130, 120)
    _box(image, where, _colour(random, 180, 256))
    frame = _colour(random)
    _box(image, where, frame, 6)
    cv2.line(image, ((x0 + x1) // 2, y0), ((x0 + x1) // 2, y1), frame, 5)
    cv2.line(image, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), frame, 5)


def _painting(image: Image, back: Rectangle, random: Random) -> None:
    x0, y0, x1, y1 = where = _inside(back, random, 70, 80)
    patches = random.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    seen = image[y0:y1, x0:x1]
    if seen.size:
        seen[:] = cv2.resize(patches, seen.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    _box(image, where, _colour(random), 4)


def _shelf(image: Image, back: Rectangle, random: Random) -> None:
    x0, y0, x1, y1 = where = _inside(back, random, 150, 200)
    _box(image, where, _colour(random, 20, 90))
    for top in range(y0 + 4, y1 - 30, 45):
        x = x0 + 4
        while x < x1 - 8:
            width, height = int(random.integers(4, 14)), int(random.integers(22, 39))
            _box(image, (x, top + 40 - height, x + width, top + 40), _colour(random))
            x += width + 1


def _clock(image: Image, back: Rectangle, random: Random) -> None:
    x0, y0, x1, _ = _inside(back, random, 60, 60)
    middle, radius = ((x0 + x1) // 2, y0 + (x1 - x0) // 2), (x1 - x0) // 2
    cv2.circle(image, middle, radius, _colour(random, 200, 256), cv2.FILLED)
    cv2.circle(image, middle, radius, _colour(random, 0, 90), 4)
    for angle, share in zip(random.uniform(0, 2 * np.pi, 2), (0.5, 0.8), strict=True):
        tip = np.add(middle, share * radius * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        cv2.line(image, middle, (int(tip[0]), int(tip[1])), (20, 20, 20), 3)


def _lamp(image: Image, back: Rectangle, random: Random) -> None:
    x0, y0, x1, y1 = _inside(back, random, 50, 60)
    cv2.line(image, ((x0 + x1) // 2, 0), ((x0 + x1) // 2, y0), (40, 40, 40), 2)
    axes = (x1 - x0) // 2, (y1 - y0) // 2
    cv2.ellipse(image, ((x0 + x1) // 2, y0), axes, 0, 180, 360, _colour(random, 200, 256), -1)


def _sofa(image: Image, back: Rectangle, random: Random) -> None:
    x0, _, x1, _ = _inside(back, random, 260, 90)
    bottom, colour = int(random.uniform(380, 470)), _colour(random)
    _box(image, (x0, bottom - 110, x1, bottom), colour)
    for x in range(x0 + 10, x1 - 50, 70):
        cushion = (x, bottom - 90, x + 60, bottom - 40)
        _box(image, cushion, _colour(random))
    _box(image, (x0, bottom - 45, x1, bottom), tuple(value * 3 // 4 for value in colour))


def _plant(image: Image, back: Rectangle, random: Random) -> None:
    x0, _, x1, _ = _inside(back, random, 60, 80)
    foot = int(random.uniform(330, 460))
    _box(image, (x0, foot - 50, x1, foot), _colour(random, 40, 140))
    for _ in range(40):
        leaf = int(random.normal((x0 + x1) / 2, 35)), int(random.normal(foot - 100, 35))
        green = int(random.integers(10, 80)), int(random.integers(70, 180)), 40
        cv2.ellipse(image, leaf, (18, 6), random.uniform(0, 180), 0, 360, green, cv2.FILLED)


def _door(image: Image, back: Rectangle, random: Random) -> None:
    x0, _, x1, _ = _inside(back, random, 90, 200)
    bottom = back[3]
    _box(image, (x0, bottom - 220, x1, bottom), _colour(random, 60))
    _box(image, (x0 + 12, bottom - 205, x1 - 12, bottom - 115), (60, 60, 60), 2)
    _box(image, (x0 + 12, bottom - 100, x1 - 12, bottom - 12), (60, 60, 60), 2)
    cv2.circle(image, (x1 - 12, bottom - 105), 5, (30, 160, 190), cv2.FILLED)
