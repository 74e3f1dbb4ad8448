"""`emotion-edge NAME`: one process, as systemd or `emotion-edge run` starts it."""

import gc
import importlib
import os
from pathlib import Path

from edge.commands.settings import check_used
from edge.config import Config
from edge.errors import ExitCode
from edge.paths import (
    CONFIG_VARIABLE,
    SYSTEM_CONFIG,
    SYSTEM_DIRECTORY,
    make_directory,
    user_runtime_directory,
)
from edge.runtime.loop import Loop
from edge.runtime.process import TRIM_S, configure_malloc, single_instance, trim_heap


def run(name: str, config: Config, path: Path | None) -> int:
    """`edge.services.NAME.run` until a signal. Returns the exit code.

    `path`: where the settings were read. Raises ConfigError.
    """
    check_used(name, config, path)
    set_process_name(name)
    os.environ.setdefault(CONFIG_VARIABLE, str(path or SYSTEM_CONFIG))
    loop = Loop()
    loop.stop_on_signals()
    loop.call_every(TRIM_S, trim_heap)
    configure_malloc()
    make_directory(config.directory)
    with single_instance(lock_directory(config.directory), name):
        service = importlib.import_module(f"edge.services.{name}")
        gc.collect()  # the command line's parser and what imports leave: half a megabyte of cycles
        service.run(config, loop)
    return ExitCode.OK


def lock_directory(directory: Path) -> Path:
    """The runtime folder, or this user's own where the service's may be read but not written."""
    if directory != SYSTEM_DIRECTORY or os.access(directory, os.W_OK):
        return directory
    make_directory(user_runtime_directory())
    return user_runtime_directory()


def set_process_name(name: str) -> None:
    """Let `top` and `ps -A` tell the processes apart. proc_pid_comm(5)"""
    Path("/proc/self/comm").write_text(f"edge-{name}")
