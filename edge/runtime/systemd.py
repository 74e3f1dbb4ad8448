"""Tell systemd that a process is ready, alive, stopping. Silent where systemd did not start us.

Source of the protocol: sd_notify(3), sd_watchdog_enabled(3).
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable


class Notifier:
    """The socket that systemd named. It is kept open: clients may use up descriptors."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._socket: socket.socket | None = None
        self._half_s = watchdog_s() / 2
        self._fed_s = -self._half_s
        self._status = ""
        address = os.environ.get("NOTIFY_SOCKET")
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with contextlib.suppress(OSError):
                self._socket.connect(address.replace("@", "\0", 1))

    def ready(self) -> None:
        """The service works, or knows what it lacks."""
        self._send("READY=1")

    def alive(self) -> None:
        """The work goes on. Sent once in half of the watchdog's time, so call it as you like."""
        if not self._half_s:
            return
        now_s = self._clock()
        if now_s - self._fed_s >= self._half_s:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """What `systemctl status` shows. Sent when it changes."""
        if line != self._status:
            self._status = line
            self._send("STATUS=" + " ".join(line.split()))

    def stopping(self) -> None:
        """The process ends because it was asked to."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # nobody listens any more
                self._socket.send(state.encode())

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def watchdog_s() -> float:
    """After this long without a sign of life systemd ends this process; 0 = never."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0  # it is meant for the process that started this one
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
