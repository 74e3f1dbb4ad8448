"""The kinds of screen: a window, the framebuffer, a PNG file."""

import contextlib
import ctypes
import ctypes.util
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from edge.devices.screen import Screen, ScreenError, is_desktop
from edge.devices.screen.framebuffer import Console, Framebuffer
from edge.paths import is_folder
from edge.types import Image

TITLE = "Emotion Edge"
FIRST_SPECIAL_KEY = 0x80
"""Shift, arrows and the like are X keysyms far above ASCII."""
FULLSCREEN_KEYS, ESCAPE = (ord("f"), 0xFFC8), 0x1B
"""f, and the X keysym of F11."""
MAX_DESKTOP_FRACTION = 0.92
"""Fraction of the desktop that a new window may take; the rest is for title bar and panel."""
MAX_WIDTH_IN_HEIGHTS = 1.5
"""A new window is at most this many times as wide as the desktop is high: of two monitors side by
side it takes one, and on a wide one it does not stretch."""
SHARP_LINES = 1080
"""A screen of twice as many lines shows every pixel of the image four times, and so on: seen from
where the screen is seen whole that is as sharp, and takes a quarter of the memory."""
FIRST_SIZE = (1180, 720)
"""(w, h) px, until there is a frame"""
MIN_SIZE = (160, 120)
MEASURE_PERIOD_S = 1.0
SETTLE_S = 5.0
"""A window manager enlarges a window within this; before, its size is not what it will be."""
PNG_PERIOD_S = 0.2
PROBE = "import cv2; cv2.namedWindow('Emotion Edge', cv2.WINDOW_NORMAL)"
PROBE_TIMEOUT_S = 15.0


class Window(Screen):
    """A window of the desktop; the image follows the window's size.

    OpenCV's Qt windows never enlarge the image that they are given, and report the size of the
    shown image only. So once in a while the image is given at twice the size, every
    pixel doubled: it looks the same, and fills the window if that was made larger. A full screen
    is as large as the desktop from its first image on.
    """

    def __init__(self, *, fullscreen: bool) -> None:
        """Raises ScreenError where no window can be opened."""
        super().__init__("window")
        self.has_keys = True
        _quieten_qt()
        self._desktop = _scale_qt(desktop_size())
        _try_a_window()
        self._fullscreen = False
        self._size = self._windowed = FIRST_SIZE
        self._measure_at_s = self._settled_at_s = 0.0
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(TITLE, flags)
        self.resize(FIRST_SIZE)
        if fullscreen:
            self._toggle()

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def resize(self, size: tuple[int, int]) -> None:
        """Of this shape, as large as the desktop has room for."""
        self._windowed = fit_desktop(size, self._desktop)
        if not self._fullscreen:
            self._size = self._windowed
            cv2.resizeWindow(TITLE, *self._size)

    def _toggle(self) -> None:
        """To the whole screen, and back to the window of before."""
        self._fullscreen = not self._fullscreen
        how = cv2.WINDOW_FULLSCREEN if self._fullscreen else cv2.WINDOW_NORMAL
        self._settled_at_s = time.monotonic() + SETTLE_S
        if self._fullscreen:
            self._windowed, self._size = self._size, self._desktop or self._size
        else:
            self._size = self._windowed
        cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, how)
        if not self._fullscreen:
            cv2.resizeWindow(TITLE, *self._size)

    def show(self, image: Image) -> None:
        """Does nothing to a window that the user closed; `poll` reports that."""
        if self._is_closed():
            return
        if time.monotonic() >= self._measure_at_s:
            self._measure_at_s = time.monotonic() + MEASURE_PERIOD_S
            image = self._enlarged(image)
        cv2.imshow(TITLE, image)

    def _enlarged(self, image: Image) -> Image:
        """Large enough to fill the window whatever its size has become."""
        whole = self._fullscreen and self._desktop
        size = whole or (2 * image.shape[1], 2 * image.shape[0])
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST))

    def poll(self) -> str | None:
        """Also lets the window draw itself: call it after `show`, and often."""
        key = cv2.pollKey()
        if self._is_closed():
            return "q"
        if not self._fullscreen or time.monotonic() >= self._settled_at_s:
            self._measure()
        if key in FULLSCREEN_KEYS or (key == ESCAPE and self._fullscreen):
            self._toggle()
            return None
        return chr(key).lower() if 0 <= key < FIRST_SPECIAL_KEY else None

    def _measure(self) -> None:
        width, height = cv2.getWindowImageRect(TITLE)[2:]
        self._size = max(width, MIN_SIZE[0]), max(height, MIN_SIZE[1])

    def _is_closed(self) -> bool:
        return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> None:
        cv2.destroyAllWindows()


class FramebufferScreen(Screen):
    """The whole screen of a machine without a desktop; its resolution may change."""

    def __init__(self, path: Path) -> None:
        """`path`: e.g. /dev/fb0. Raises ScreenError."""
        super().__init__("framebuffer")
        self._path = path
        self._check_at_s = 0.0
        self._open()
        self._console = Console()

    def _open(self) -> None:
        try:
            self._framebuffer = Framebuffer(self._path)
        except (OSError, ValueError) as error:
            raise ScreenError(_why_no_framebuffer(self._path, error)) from error

    @property
    def size(self) -> tuple[int, int]:
        width, height = self._framebuffer.size
        scale = enlargement(self._framebuffer.size)
        return width // scale, height // scale

    def show(self, image: Image) -> None:
        """An image of a size that is no longer the screen's is skipped."""
        if time.monotonic() >= self._check_at_s:
            self._check_at_s = time.monotonic() + MEASURE_PERIOD_S
            self._console.keep()
            if not self._framebuffer.is_unchanged():
                self._framebuffer.close()
                self._open()
        if self.size == (image.shape[1], image.shape[0]):
            self._framebuffer.show(image)

    def close(self) -> None:
        self._framebuffer.close()
        self._console.close()


def _why_no_framebuffer(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no {path}"
    if isinstance(error, PermissionError):
        return f"no permission for {path}: join the group video (sudo usermod -aG video $USER)"
    return f"cannot show on {path}: {getattr(error, 'strerror', None) or error}"


class PngFile(Screen):
    """A PNG file that is always complete; written a few times a second at most."""

    def __init__(self, path: Path) -> None:
        """Raises ScreenError where it cannot be written."""
        super().__init__(str(path))
        self.period_s = PNG_PERIOD_S
        self._path = path
        self._size = FIRST_SIZE
        if not is_folder(path.parent):
            raise ScreenError(f"cannot write {path}: no folder {path.parent}; make it first")
        if is_folder(path):
            raise ScreenError(f"cannot write {path}: it is a folder; give another name")

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def resize(self, size: tuple[int, int]) -> None:
        self._size = size

    def show(self, image: Image) -> None:
        _, data = cv2.imencode(".png", image)  # OpenCV's own settings are its fastest
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(data.tobytes())
            unfinished.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise ScreenError(f"cannot write {self._path}: {error.strerror}") from error


def open_screen(kind: str, framebuffer: str, *, fullscreen: bool) -> Screen:
    """Open a screen.

    `kind`: auto, window, framebuffer, none, or a path that ends in .png. `auto` takes the first
    that opens and at last none at all. Raises ScreenError where the one that was asked for cannot
    be opened.
    """
    if kind == "window":
        return Window(fullscreen=fullscreen)
    if kind == "framebuffer":
        return FramebufferScreen(Path(framebuffer))
    if kind == "none":
        return Screen()
    if kind == "auto":
        return _first_that_opens(framebuffer, fullscreen)
    return PngFile(Path(kind))


def _first_that_opens(framebuffer: str, fullscreen: bool) -> Screen:
    reasons = []
    for kind in ["window"] * is_desktop() + ["framebuffer"]:
        try:
            return open_screen(kind, framebuffer, fullscreen=fullscreen)
        except ScreenError as error:
            reasons.append(str(error))
    return Screen(f"no screen ({'; '.join(reasons)})")


def fit_desktop(size: tuple[int, int], desktop: tuple[int, int] | None) -> tuple[int, int]:
    """(w, h) px of this shape that leave room for the desktop's bars, and are not too wide."""
    if desktop is None:
        return size
    width, height = size
    room = MAX_DESKTOP_FRACTION * desktop[0], MAX_DESKTOP_FRACTION * desktop[1]
    scale = min(room[0] / width, room[1] / height, MAX_WIDTH_IN_HEIGHTS * desktop[1] / width)
    return round(width * scale), round(height * scale)


def enlargement(size: tuple[int, int]) -> int:
    """How many px of a screen of (w, h) px a pixel of the image is wide."""
    return max(1, min(size) // SHARP_LINES)


def desktop_size() -> tuple[int, int] | None:
    """(w, h) px of the X screen, which OpenCV does not report. Source: XOpenDisplay(3)."""
    name = ctypes.util.find_library("X11")
    if name is None:
        return None
    x11 = ctypes.CDLL(name)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    if not display:
        return None
    try:
        return x11.XDisplayWidth(display, 0), x11.XDisplayHeight(display, 0)
    finally:
        x11.XCloseDisplay(display)


def _scale_qt(desktop: tuple[int, int] | None) -> tuple[int, int] | None:
    """Let Qt enlarge every pixel on a screen of very many; returns (w, h) px as Qt then counts."""
    if desktop is None:
        return None
    scale = os.environ.setdefault("QT_SCALE_FACTOR", str(enlargement(desktop)))
    try:
        return round(desktop[0] / float(scale)), round(desktop[1] / float(scale))
    except (ValueError, ZeroDivisionError):
        return desktop


def _quieten_qt() -> None:
    """opencv-python brings Qt with one plugin, for X11, and Qt logs everything it lacks."""
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    os.environ.setdefault("QT_LOGGING_RULES", "*=false")


def _try_a_window() -> None:
    """Open one in another process first: Qt ends the process that cannot. Raises ScreenError."""
    display = os.environ.get("DISPLAY") or "(DISPLAY is not set)"
    command = [sys.executable, "-c", PROBE]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=PROBE_TIMEOUT_S)
    except subprocess.SubprocessError as error:
        raise ScreenError(
            f"no window can be opened on display {display}; "
            "start it on a desktop, or choose --screen framebuffer or FILE.png"
        ) from error
