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


class ImageFileError(UserError):
    """A file that cannot be read as an image. The message is one line: which, why, and the fix."""


def read_image(path: str | Path) -> Image:
    """(height, width, 3) uint8 BGR, upright by its EXIF; of an animation the first frame.

    Transparency is ignored. Raises ImageFileError, also above Pillow's limit of 89 million pixels.
    """
    try:
        return _bgr(_upright(path))
    except TOO_LARGE as error:
        raise ImageFileError(f"{path}: the image has too many pixels; scale it down") from error
    except Exception as error:  # every decoder has its own errors for damaged files
        why = getattr(error, "strerror", None) or "damaged, or of an unknown format"
        raise ImageFileError(
            f"{path}: cannot be read as an image ({why}); save it as PNG"
        ) from error


def _upright(path: str | Path) -> PillowImage.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PillowImage.DecompressionBombWarning)
        with PillowImage.open(path, formats=FORMATS) as image:
            return ImageOps.exif_transpose(image)


def _bgr(image: PillowImage.Image) -> Image:
    if image.mode.startswith("I"):  # grey of 16 bits, whose upper half Pillow would clip away
        grey = np.asarray(image).astype(np.int64).clip(0, 0xFFFF) >> 8
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


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
