"""Switch the computer off, as logind does it: no rights of ours, but its policy's (docs/boards.md).

A call over the system's D-Bus socket, so it needs neither root nor sudo nor a setuid program.
Source: org.freedesktop.login1(5).
"""

import logging
import os
import subprocess
from collections.abc import Callable
from functools import partial

from edge.runtime.loop import Loop

log = logging.getLogger(__name__)

COMMAND = (
    "busctl", "--system", "--timeout=10", "call",
    "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
    "PowerOff", "b", "false",
)  # fmt: skip


def power_off(loop: Loop, failed: Callable[[str], None]) -> None:
    """Ask for it; `failed(why)` is called in the loop's thread where it is refused."""
    try:
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        failed(f"cannot power off: busctl: {error.strerror}")
        return
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, partial(_ended, loop, process, pidfd, failed))


def _ended(
    loop: Loop, process: "subprocess.Popen[bytes]", pidfd: int, failed: Callable[[str], None]
) -> None:
    loop.remove_reader(pidfd)
    os.close(pidfd)
    _, errors = process.communicate()
    if process.returncode:
        said = errors.decode("utf-8", "replace").strip().partition("\n")[0]
        failed(f"cannot power off: {said or f'busctl ended with {process.returncode}'}")
    else:
        log.info("the computer is switched off")
