"""Whether a path leads to something that can be read. Never raises, however odd the path."""

import os
from pathlib import Path

# Until Python 3.14 Path.is_file and Path.is_dir raise where we may not look or a name is too long.


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there for us."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there for us."""
    return os.path.isdir(path)  # noqa: PTH112
