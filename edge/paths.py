"""Paths of settings, sockets, keys and models; and which of them this user may use."""

import os
import re
import stat
from pathlib import Path

from edge.errors import ConfigError

SYSTEM_CONFIG = Path("/etc/emotion-edge/config.toml")
SYSTEM_DIRECTORY = Path("/run/emotion-edge")
SYSTEM_KEYS = Path("/etc/emotion-edge/keys")
SYSTEM_RECORDINGS = Path("/var/lib/emotion-edge/recordings")
CONFIG_VARIABLE = "EMOTION_EDGE_CONFIG"
"""Environment variable that names the settings file, for those who report where a value is set."""
ASSETS = Path(__file__).resolve().parent / "assets"
MODELS = Path(__file__).resolve().parent.parent / "models_tflite"
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def runtime_directory() -> Path:
    """/run/emotion-edge where this user may enter it, else a folder of the user's own."""
    return SYSTEM_DIRECTORY if os.access(SYSTEM_DIRECTORY, os.X_OK) else user_runtime_directory()


def bus_permission_denied() -> bool:
    """Whether the service's bus exists, and this user may not use it."""
    return SYSTEM_DIRECTORY.is_dir() and runtime_directory() != SYSTEM_DIRECTORY


def user_runtime_directory() -> Path:
    """The runtime folder of this user."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "emotion-edge"
    import tempfile  # and with it half a megabyte, which no service needs

    return Path(tempfile.gettempdir()) / f"emotion-edge-{os.getuid()}"


def keys_directory() -> Path:
    """/etc/emotion-edge/keys where this user may read it, else a folder of the user's own."""
    if os.access(SYSTEM_KEYS, os.R_OK | os.X_OK):
        return SYSTEM_KEYS
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings) / "emotion-edge" / "keys"


def recordings_directory() -> Path:
    """/var/lib/emotion-edge/recordings where this user may read it, else one of the user's own."""
    if os.access(SYSTEM_RECORDINGS, os.R_OK | os.X_OK):
        return SYSTEM_RECORDINGS
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "emotion-edge" / "recordings"


def keys_permission_denied() -> bool:
    """Whether the service's keys exist, and this user may not read them: others would be no use."""
    return SYSTEM_KEYS.exists() and keys_directory() != SYSTEM_KEYS


def make_directory(directory: Path) -> None:
    """Make the folder of the local sockets, for this user alone. Raises ConfigError."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot make {directory}: {reason}; set bus.directory") from error
    check_directory(directory)


def check_directory(directory: Path) -> bool:
    """Whether there is a folder of local sockets. Raises ConfigError for one of another user's.

    In /tmp anybody may have made it first. Once it is ours it stays so: the kernel does not let
    others rename or remove it there.
    """
    try:
        status = directory.lstat()
    except (OSError, ValueError):
        return False
    # Only root makes folders in /run: that one is the service's, whoever runs this.
    known = status.st_uid in (os.geteuid(), 0) or directory == SYSTEM_DIRECTORY
    if not (stat.S_ISDIR(status.st_mode) and known) or status.st_mode & WRITABLE_BY_OTHERS:
        raise ConfigError(f"{directory}: another user can write there; set bus.directory")
    return True


# Until Python 3.14 Path.is_file and Path.is_dir raise without permission or for too long a name.


def is_file(path: str | Path) -> bool:
    """Whether this is a regular file that can be seen."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """Whether this is a folder that can be seen."""
    return os.path.isdir(path)  # noqa: PTH112


def without_credentials(address: str) -> str:
    """What may be shown and logged of an address: no user, no password of a URL in it."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "***@", address)
