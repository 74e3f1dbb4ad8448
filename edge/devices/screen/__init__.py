"""What a screen is, and which kinds there are. Needs no vendor library."""

import os
from pathlib import Path

from edge.errors import UserError
from edge.paths import is_folder
from edge.types import Image

KINDS = ("auto", "window", "framebuffer", "none")


class ScreenError(OSError):
    """A screen that cannot be shown on. The message is one line: what, and the fix."""


class Screen:
    """Something that shows images. This one shows them nowhere; the others are kinds of it."""

    def __init__(self, name: str = "no screen") -> None:
        """`name`: what it is, in words."""
        self.name = name
        self.has_keys = False
        self.period_s = 0.0
        """It takes no more than one image in this time."""

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) px that an image must have now; (0, 0) = none is wanted."""
        return 0, 0

    def resize(self, size: tuple[int, int]) -> None:
        """Take this size, (w, h) px, where the screen can choose."""

    def show(self, image: Image) -> None:
        """`image`: (height, width, 3) uint8 BGR, of `size`. Raises ScreenError."""

    def poll(self) -> str | None:
        """A key that was pressed ("q" too when the window was closed), or None."""
        return None

    def close(self) -> None:
        """Release the screen."""


def is_desktop() -> bool:
    """Whether windows can be expected to open."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_window(screen: str) -> bool:
    """Whether this kind of screen is a window here, with keys."""
    return screen == "window" or (screen == "auto" and is_desktop())


def check_screen(screen: str) -> None:
    """Raise UserError for what is no kind of screen and no PNG file."""
    if screen in KINDS:
        return
    if Path(screen).suffix.lower() != ".png":
        raise UserError(f"no such screen: {screen}; write {', '.join(KINDS)} or FILE.png")
    if is_folder(screen):
        raise UserError(f"{screen}: a folder; name a file in it")
