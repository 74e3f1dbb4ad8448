"""`emotion-edge run`: the six processes as children of one terminal.

What systemd does on a device, for a person at a prompt: starts each, brings back one that died,
ends all of them together. It does none of their work.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edge.bus.messages import SERVICES
from edge.bus.pubsub import Subscriber
from edge.commands.status_line import Status
from edge.config import Config
from edge.runtime.loop import Loop

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 10.0
HEALTHY_S = 10.0
"""A process that ran this long starts anew with the first delay."""
STOP_S = 3.0
"""Time to end in peace; then SIGKILL."""
STATUS_S = 0.25
BAD_CONFIG = 78
START_ORDER = ("hub", "camera", "face", "display", "audio", "fusion")
PR_SET_PDEATHSIG = 1
assert set(START_ORDER) == set(SERVICES)


class Child:
    """One process, its standard error, and when it may start again."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.started_s = 0.0
        self.delay_s = FIRST_DELAY_S
        self.ran_ok = False
        """It has run with these settings for a while: they are not to blame."""

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C is for the supervisor alone."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.started_s = time.monotonic()

    def ran_long(self) -> bool:
        return time.monotonic() - self.started_s >= HEALTHY_S

    def next_delay_s(self) -> float:
        """How long to wait before the next start; doubles while it keeps dying young."""
        if self.ran_long():
            self.delay_s = FIRST_DELAY_S
        delay_s = self.delay_s
        self.delay_s = min(MAX_DELAY_S, 2 * delay_s)
        return delay_s


def _end_with_parent() -> None:
    """Have the kernel end this child when the supervisor is gone, whatever killed it. prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Starts, watches, restarts and ends the children."""

    def __init__(self, loop: Loop, children: list[Child], say: Callable[[str], None]) -> None:
        """`say`: takes each line that a child or the supervisor has for the user."""
        self._loop = loop
        self._children = children
        self._say = say
        self._partial: dict[int, bytes] = {}
        self.exit_code = 0

    def start(self) -> None:
        for child in self._children:
            self._start(child)

    def _start(self, child: Child) -> None:
        child.start()
        assert child.process is not None and child.process.stderr is not None
        errors = child.process.stderr.fileno()
        os.set_blocking(errors, False)
        self._loop.add_reader(errors, lambda: self._relay(errors))
        self._loop.add_reader(child.pidfd, lambda: self._on_exit(child))

    def _relay(self, descriptor: int) -> None:
        """Pass on the whole lines that a child has written."""
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(descriptor)
            return
        *lines, rest = (self._partial.pop(descriptor, b"") + data).split(b"\n")
        if rest:
            self._partial[descriptor] = rest
        for line in lines:
            self._say(line.decode("utf-8", "replace"))

    def _on_exit(self, child: Child) -> None:
        code = self._reap(child)
        child.ran_ok |= child.ran_long()
        if child.name == "display" and code == 0:
            self._loop.stop()  # the user closed the window or pressed q
        elif code == BAD_CONFIG and not child.ran_ok:
            self.exit_code = BAD_CONFIG
            self._loop.stop()
        else:
            delay_s = child.next_delay_s()
            self._say(f"{child.name} ended ({_reason(code)}); starting it again")
            self._loop.call_later(delay_s, lambda: self._start(child))

    def _reap(self, child: Child) -> int:
        process = child.process
        assert process is not None and process.stderr is not None
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        code = process.wait()
        errors = process.stderr.fileno()
        if self._loop.has_reader(errors):
            self._relay(errors)
        if self._loop.has_reader(errors):
            self._loop.remove_reader(errors)
        self._partial.pop(errors, None)
        process.stderr.close()
        child.process = None
        return code

    def stop(self) -> None:
        """End all of them: SIGTERM, and after STOP_S SIGKILL."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
            process.send_signal(signal.SIGCONT)
        deadline_s = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def command_of(name: str, config_file: Path) -> list[str]:
    """`emotion-edge NAME --config F`, so that `ps` tells the processes apart."""
    script = shutil.which("emotion-edge", path=str(Path(sys.executable).parent))
    start = [script] if script else [sys.executable, "-m", "edge"]
    return [*start, name, "--config", str(config_file)]


def run(config: Config, config_file: Path, duration_s: float | None, loop: Loop) -> int:
    """Run all processes with the settings in `config_file` until a signal, `q` or the end of time.

    Returns the exit code: 0, or 78 where a process refused its configuration.
    """
    status = Status(sys.stderr)
    children = [Child(name, command_of(name, config_file)) for name in START_ORDER]
    supervisor = Supervisor(loop, children, status.say)
    subscriber = Subscriber(config.endpoint("out"), [""])
    loop.add_reader(subscriber.socket, lambda: status.take(subscriber.receive()))
    loop.call_every(STATUS_S, status.show)
    if duration_s is not None:
        loop.call_later(duration_s, loop.stop)
    try:
        supervisor.start()
        loop.run()
    finally:
        supervisor.stop()
        subscriber.close()
        status.close()
    return supervisor.exit_code
