"""A still image from a file: its pixels, or one line that says why there are none.

Pillow reads it, because OpenCV's reader ends the process on some files (4.11: animated PNGs, names
that are not UTF-8) and takes any claimed size for true.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from edge.errors import UserError
from edge.types import Image

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow would try all that it knows; some of those start other programs."""
TOO_LARGE = (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning)


class ImageFileError(UserError):
    """A file that is no image for us. The message is one line: which, why, and the mend."""


def read_image(path: str | Path) -> Image:
    """(height, width, 3) uint8 BGR, upright by its EXIF; of an animation the first picture.

    Transparency is ignored. Raises ImageFileError, also above Pillow's limit of 89 million pixels.
    """
    try:
        return _bgr(_upright(path))
    except TOO_LARGE as error:
        raise ImageFileError(f"{path}: the image has too many pixels; scale it down") from error
    except Exception as error:  # every decoder has errors of its own for what damage leads to
        why = getattr(error, "strerror", None) or "damaged, or of a kind that is not known here"
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
