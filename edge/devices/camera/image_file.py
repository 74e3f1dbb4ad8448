"""Image files: read upright as BGR, and as a camera.

Pillow reads them, because OpenCV ends the process on some files (4.11: animated PNGs, names that
are not UTF-8) and believes any claimed size.
"""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from edge.devices.camera.source import RateLimiter, SourceError, describe
from edge.errors import UserError
from edge.types import Image

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow would try every format it knows; some of those start other programs."""
TOO_LARGE = (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)


MAX_PIXELS = 16_000_000
"""A Pi's memory holds the image several times over while it is decoded."""
STRIP_PX = 256
"""Rows that are converted at a time."""


class ImageFileError(UserError):
    """A file that cannot be read as an image. The message is one line: which, why, and the fix."""


def read_image(path: str | Path) -> Image:
    """(height, width, 3) uint8 BGR, upright by its EXIF; of an animation the first frame.

    Transparency is ignored. A JPEG of more than MAX_PIXELS is decoded at a half or a quarter of its
    size. Raises ImageFileError, also for any other image of more.
    """
    try:
        return _bgr(_upright(path))
    except TOO_LARGE as error:
        raise ImageFileError(
            f"{path}: the image has too many pixels; scale it down to {MAX_PIXELS // 10**6} million"
        ) from error
    except Exception as error:  # every decoder has its own errors for damaged files
        why = getattr(error, "strerror", None) or "damaged, or of an unknown format"
        raise ImageFileError(
            f"{path}: cannot be read as an image ({why}); save it as PNG"
        ) from error


def _upright(path: str | Path) -> PillowImage.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
        image: PillowImage.Image = PillowImage.open(path, formats=FORMATS)
        with image:
            if pixels(image) > MAX_PIXELS and "progressive" not in image.info:
                shrink = 2 if pixels(image) <= 4 * MAX_PIXELS else 4
                image.draft(None, (image.width // shrink, image.height // shrink))
            if pixels(image) > MAX_PIXELS:
                raise PillowImage.DecompressionBombError
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image


def pixels(image: PillowImage.Image) -> int:
    return image.width * image.height


def _bgr(image: PillowImage.Image) -> Image:
    if image.mode.startswith("I"):  # grey of 16 bits, whose upper half Pillow would clip away
        grey = np.asarray(image).clip(0, 0xFFFF) >> 8
        return np.asarray(cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)
    bgr = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP_PX):
        bottom = min(top + STRIP_PX, image.height)
        strip = image.crop((0, top, image.width, bottom))
        bgr[top:bottom] = np.asarray(strip.convert("RGB"))[..., ::-1]
    return bgr


def fit(image: Image, width: int, height: int) -> Image:
    """`image` scaled down to at most `width` x `height` px, its aspect ratio kept."""
    scale = min(width / image.shape[1], height / image.shape[0])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


class ImageCamera:
    """One image, again and again."""

    def __init__(self, path: str, width: int, height: int, rate_hz: float) -> None:
        try:
            self._image = fit(read_image(path), width, height)
        except ImageFileError as error:
            raise SourceError(f"camera source {error}") from error
        self._rate_limiter = RateLimiter()
        self.rate_hz = rate_hz
        height, width = self._image.shape[:2]
        self.about = describe(path, (width, height), rate_hz)

    def read(self) -> Image:
        self._rate_limiter.wait(1 / self.rate_hz)
        return self._image

    def close(self) -> None:
        """There is nothing to close."""
