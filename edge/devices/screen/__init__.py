"""Screens: a window, the framebuffer, a PNG file, or none."""

from pathlib import Path

from edge.errors import UserError
from edge.paths import is_folder

KINDS = ("auto", "window", "framebuffer", "none")


def check_screen(screen: str) -> None:
    """Raise UserError for what is no kind of screen and no PNG file. Needs no vendor library."""
    if screen in KINDS:
        return
    if Path(screen).suffix.lower() != ".png":
        raise UserError(f"no such screen: {screen}; write {', '.join(KINDS)} or FILE.png")
    if is_folder(screen):
        raise UserError(f"{screen}: a folder; name a file in it")
