"""systemd's end of sd_notify(3): a datagram socket that receives what a service sends."""

import socket
import time
from pathlib import Path

import pytest

WATCHDOG_S = 0.4


class Systemd:
    """Receives READY=1, WATCHDOG=1, STATUS=..., STOPPING=1."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self.received: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """What systemd sets for a service with Type=notify and WatchdogSec=."""
        return {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": f"{WATCHDOG_S * 1e6:.0f}"}

    def until(self, wanted: str, timeout_s: float = 60.0) -> str:
        """The first state that starts with `wanted`; fails after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            state = self._next(left_s)
            if state is not None and state.startswith(wanted):
                return state
        pytest.fail(f"no {wanted} in {timeout_s} s; received {self.received[-20:]}")

    def is_quiet(self, what: str, for_s: float, within_s: float = 15.0) -> bool:
        """Whether `what` stays out for `for_s`, at some time within `within_s`."""
        deadline_s = time.monotonic() + within_s
        last_s = time.monotonic()
        while time.monotonic() < deadline_s:
            if time.monotonic() - last_s > for_s:
                return True
            state = self._next(0.1)
            if state is not None and state.startswith(what):
                last_s = time.monotonic()
        return False

    def forget(self) -> None:
        """Pass over what was said until now."""
        while self._next(0.0) is not None:
            pass

    def _next(self, timeout_s: float) -> str | None:
        self._socket.settimeout(max(timeout_s, 1e-6))
        try:
            state = self._socket.recv(4096).decode()
        except (TimeoutError, BlockingIOError):
            return None
        self.received.append(state)
        return state

    def close(self) -> None:
        self._socket.close()
