"""Microphones: PortAudio or a sound file, and the thread that reads them."""

from edge.errors import UserError
from edge.paths import is_file

OFF = "none"
"""The source of a device without a microphone."""
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")


def is_sound_file(source: str) -> bool:
    """Is a file meant, whether or not it is there?"""
    named_so = source.lower().endswith(SOUND_SUFFIXES) or source.startswith(("/", "./", "../"))
    return named_so or is_file(source)


def check_source(source: str) -> None:
    """Raise UserError if `source` means a file that is not there. Needs no numpy."""
    if is_sound_file(source) and not is_file(source):
        raise UserError(f"{source}: no such sound file; check the path")
