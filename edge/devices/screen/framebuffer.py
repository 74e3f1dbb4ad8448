"""The Linux framebuffer: images without a desktop, and the text console kept out of them.

Knows bytes and ioctls, and nothing of what the image shows. Sources: linux/fb.h, linux/kd.h,
linux/vt.h, console_codes(4).
"""

import contextlib
import fcntl
import logging
import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edge.types import Image

log = logging.getLogger(__name__)

FBIOGET_VSCREENINFO = 0x4600
FBIOGET_FSCREENINFO = 0x4602
VARIABLE = struct.Struct("@20I")
"""xres yres, virtual xres yres, xoffset yoffset, bits, grayscale, 4 x (offset, length, msb)"""
FIXED = struct.Struct("@16sL4I3HI")
"""id, start, length in bytes, type, type_aux, visual, 3 pan steps, bytes a line"""
KDSETMODE, KDGETMODE = 0x4B3A, 0x4B3B
KD_TEXT, KD_GRAPHICS = 0, 1
VT_GETMODE = 0x5601
VT_PROCESS = 1
HIDE_CURSOR, SHOW_CURSOR = b"\033[?25l", b"\033[?25h"
ACTIVE_CONSOLE = Path("/dev/tty0")
"""The terminal that is on the screen. Unlike tty1 it never belongs to whoever logs in there."""


class Geometry(NamedTuple):
    """How pixels lie in the memory of the screen."""

    width: int
    """px, as `height`"""
    height: int
    stride: int
    """bytes from one line to the next"""
    bits: int
    """a pixel: 16 (5 red, 6 green, 5 blue) or 32 (8 each, and 8 unused)"""
    red_low: bool = False
    """Red, not blue, stands in the lowest bits."""
    start: int = 0
    """bytes before the first visible pixel"""


def draw(image: Image, geometry: Geometry, memory: bytearray | mmap.mmap) -> None:
    """Write an image into the screen's memory; what lies between the lines is left alone.

    `image`: (height, width, 3) BGR, of the screen's size or a whole fraction of it; then each
    pixel is repeated, and what is left at the right and below stays as it is. Raises ValueError
    for another size.
    """
    height, width = image.shape[:2]
    scale = geometry.width // max(1, width)
    if scale < 1 or (width, height) != (geometry.width // scale, geometry.height // scale):
        raise ValueError(f"{width}x{height} px on a screen of {geometry.width}x{geometry.height}")
    depth = geometry.bits // 8
    strides = (geometry.stride, depth, 1)
    size = (height * scale, width * scale, depth)
    pixels: Image = np.ndarray(size, np.uint8, memory, geometry.start, strides)
    if scale == 1:
        cv2.cvtColor(image, _conversion(geometry), dst=pixels)
        return
    small = cv2.cvtColor(image, _conversion(geometry))
    cv2.resize(small, size[1::-1], dst=pixels, interpolation=cv2.INTER_NEAREST)


def _conversion(geometry: Geometry) -> int:
    if geometry.bits == 32:
        return cv2.COLOR_BGR2RGBA if geometry.red_low else cv2.COLOR_BGR2BGRA
    return cv2.COLOR_RGB2BGR565 if geometry.red_low else cv2.COLOR_BGR2BGR565


def read_geometry(descriptor: int) -> Geometry:
    """Ask the driver. Raises OSError: no framebuffer, or an unsupported pixel format."""
    variable, fixed = bytearray(256), bytearray(256)
    fcntl.ioctl(descriptor, FBIOGET_VSCREENINFO, variable)
    fcntl.ioctl(descriptor, FBIOGET_FSCREENINFO, fixed)
    return parse_geometry(bytes(variable), bytes(fixed))


def parse_geometry(variable: bytes, fixed: bytes) -> Geometry:
    """fb_var_screeninfo and fb_fix_screeninfo to a geometry. Raises OSError, as read_geometry."""
    width, height, _, _, left, top, bits, _, red, red_bits, _, *rest = VARIABLE.unpack_from(
        variable
    )
    lengths = (red_bits, rest[1], rest[4])
    if (bits, lengths) not in ((16, (5, 6, 5)), (32, (8, 8, 8))):
        raise OSError(f"a screen of {bits} bits a pixel is not drawn on; set it to 16 or 32")
    stride = FIXED.unpack_from(fixed)[-1]
    start = top * stride + left * bits // 8
    return Geometry(width, height, stride, bits, red < rest[3], start)


class Framebuffer:
    """The memory of a screen."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._descriptor = os.open(path, os.O_RDWR)
        with contextlib.ExitStack() as unless_complete:
            unless_complete.callback(os.close, self._descriptor)
            self._geometry = read_geometry(self._descriptor)
            self._memory = mmap.mmap(self._descriptor, _length(self._geometry))
            unless_complete.pop_all()

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) px"""
        return self._geometry.width, self._geometry.height

    def show(self, image: Image) -> None:
        """`image`: (height, width, 3) BGR of this size, or a whole fraction of it."""
        draw(image, self._geometry, self._memory)

    def is_unchanged(self) -> bool:
        """Whether the driver is still there, and the resolution the same."""
        try:
            return read_geometry(self._descriptor) == self._geometry
        except OSError:  # another driver took over, or the screen was unplugged
            return False

    def close(self) -> None:
        if not self._memory.closed:
            self._memory.close()
            os.close(self._descriptor)


def _length(geometry: Geometry) -> int:
    """Bytes up to the end of the last visible line."""
    return geometry.start + geometry.stride * geometry.height


class Console:
    """The text console on the same screen: no text and no cursor until it is closed.

    Taking it needs CAP_SYS_TTY_CONFIG, hiding the cursor the group tty. Without, the image
    is drawn over the text all the same.
    """

    def __init__(self, path: Path | None = None) -> None:
        """`path`: the terminal; None = the one that is on the screen."""
        self._path = path or ACTIVE_CONSOLE
        self._descriptor: int | None = None
        self._taken = False
        self._open()

    def _open(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_NOCTTY)
            os.write(self._descriptor, HIDE_CURSOR)
            self._take(self._descriptor)
        except OSError as error:
            log.info("console text may show for a moment: %s", error.strerror)

    def keep(self) -> None:
        """Take it again where it is in text mode: a login prompt that starts resets its terminal.

        That also hangs up the descriptor, so a new one is opened.
        """
        if self._descriptor is None or not self._taken:
            return
        mode = bytearray(4)
        try:
            fcntl.ioctl(self._descriptor, KDGETMODE, mode)
            is_ours = mode[0] == KD_GRAPHICS
        except OSError:
            is_ours = False
        if not is_ours:
            os.close(self._descriptor)
            self._descriptor, self._taken = None, False
            self._open()

    def _take(self, descriptor: int) -> None:
        """Graphics mode, unless a desktop has the terminal: then the desktop restores it.

        A terminal that is in graphics mode without one was left so by a process that was killed.
        """
        mode = bytearray(8)
        fcntl.ioctl(descriptor, VT_GETMODE, mode)
        if mode[0] != VT_PROCESS:
            fcntl.ioctl(descriptor, KDSETMODE, KD_GRAPHICS)
            self._taken = True

    def close(self) -> None:
        """Text and cursor come back."""
        if self._descriptor is None:
            return
        try:
            if self._taken:
                fcntl.ioctl(self._descriptor, KDSETMODE, KD_TEXT)
            os.write(self._descriptor, SHOW_CURSOR)
        except OSError as error:
            log.info("the console could not be restored: %s", error.strerror)
        finally:
            os.close(self._descriptor)
            self._descriptor = None
