"""`emotion-edge run`: all services as children of one terminal.

What systemd does on a device, for a person at a prompt: starts each, restarts one that died, stops
all of them together. It does none of their work, and does without numpy.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from edge.bus.messages import SERVICES
from edge.bus.pubsub import Subscriber
from edge.bus.sockets import IPC, check_address
from edge.commands.settings import check_used
from edge.commands.status_line import StatusLine
from edge.commands.text import print_note
from edge.config import Config
from edge.config.file import config_file, with_overrides
from edge.devices.camera import source as camera
from edge.devices.screen import is_window
from edge.errors import ExitCode
from edge.paths import CONFIG_VARIABLE, SYSTEM_CONFIG, make_directory
from edge.runtime.loop import Loop
from edge.runtime.process import single_instance

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 2.0
HEALTHY_S = 10.0
"""A process that ran this long is restarted after the first delay."""
STOP_S = 3.0
"""From SIGTERM to SIGKILL."""
STATUS_S = 0.25
WATCHDOG_S = 10.0
"""A process that gave no sign of life for so long is killed and started again."""
START_S = 60.0
"""A process that is not ready yet has longer."""
START_ORDER = ("hub", "camera", "face", "display", "audio", "fusion", "gateway")
PR_SET_PDEATHSIG = 1
assert set(START_ORDER) == set(SERVICES)


class Child:
    """One process, its standard error, and when it may start again."""

    def __init__(self, name: str, command: list[str], config: int | None = None) -> None:
        """`config`: a descriptor that `command` names."""
        self.name = name
        self.command = command
        self.config = config
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.started_s = 0.0
        self.delay_s = FIRST_DELAY_S
        self.alive_s = 0.0
        """When it last gave a sign of life."""
        self.ready = False
        self.ran_ok = False
        """It has run with these settings for a while, so they are not the cause of its end."""

    def start(self, notify: str) -> None:
        """Start it in a session of its own: Ctrl-C goes to the supervisor alone.

        `notify`: the socket for its signs of life, as systemd gives one (sd_notify(3)).
        """
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=() if self.config is None else (self.config,),
            start_new_session=True,
            preexec_fn=_stop_with_parent,
            env={
                **{name: value for name, value in os.environ.items() if name != "WATCHDOG_PID"},
                "NOTIFY_SOCKET": notify,
                "WATCHDOG_USEC": f"{WATCHDOG_S * 1e6:.0f}",
            },
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.started_s = self.alive_s = time.monotonic()
        self.ready = False

    def hangs(self) -> bool:
        """Whether it runs, and gave no sign of life for too long."""
        silent_s = time.monotonic() - self.alive_s
        return self.process is not None and silent_s > (WATCHDOG_S if self.ready else START_S)

    def ran_long(self) -> bool:
        return time.monotonic() - self.started_s >= HEALTHY_S

    def next_delay_s(self) -> float:
        """How long to wait before the next start; doubles while it keeps ending early."""
        if self.ran_long():
            self.delay_s = FIRST_DELAY_S
        delay_s = self.delay_s
        self.delay_s = min(MAX_DELAY_S, 2 * delay_s)
        return delay_s


def _stop_with_parent() -> None:
    """Have the kernel stop this child when the supervisor is gone, whatever killed it. prctl(2)"""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Starts, monitors, restarts and stops the children."""

    def __init__(
        self,
        loop: Loop,
        children: list[Child],
        directory: Path,
        print_line: Callable[[str], None],
    ) -> None:
        """`print_line` is called with each line of a child or the supervisor for the user.

        `directory`: for the sockets on which the children give signs of life.
        """
        self._loop = loop
        self._children = children
        self._notify = {child.name: directory / f"{child.name}.notify" for child in children}
        self._sockets: list[socket.socket] = []
        self._print_line = print_line
        self._partial: dict[int, bytes] = {}
        self.exit_code = ExitCode.OK

    def start(self) -> None:
        for child in self._children:
            self._listen(child)
            self._start(child)
        self._loop.call_every(1.0, self._kill_hanging)

    def _listen(self, child: Child) -> None:
        path = self._notify[child.name]
        check_address(f"{IPC}{path}")
        path.unlink(missing_ok=True)
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sockets.append(notified)
        notified.bind(str(path))
        self._loop.add_reader(notified.fileno(), lambda: self._on_notified(child, notified))

    def _on_notified(self, child: Child, notified: socket.socket) -> None:
        """Take a child's sign of life; STATUS= is none, as it is sent while the work hangs."""
        state = notified.recv(4096)
        if state in (b"READY=1", b"WATCHDOG=1"):
            child.alive_s = time.monotonic()
            child.ready |= state == b"READY=1"

    def _kill_hanging(self) -> None:
        for child in self._children:
            if child.process is not None and child.hangs():
                self._print_line(f"{child.name} hangs; it is killed")
                child.process.kill()

    def _start(self, child: Child) -> None:
        child.start(str(self._notify[child.name]))
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
            self._print_line(line.decode("utf-8", "replace"))

    def _on_exit(self, child: Child) -> None:
        code = self._reap(child)
        child.ran_ok |= child.ran_long()
        if child.name == "display" and code == 0:
            self._loop.stop()  # the user closed the window or pressed q
        elif code == ExitCode.BAD_CONFIG and not child.ran_ok:
            self.exit_code = ExitCode.BAD_CONFIG
            self._loop.stop()
        else:
            delay_s = child.next_delay_s()
            self._print_line(f"{child.name} ended ({_reason(code)}); starting it again")
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
        """Stop all of them: SIGTERM, and after STOP_S SIGKILL."""
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
        for notified in self._sockets:
            self._loop.remove_reader(notified.fileno())
            notified.close()
        for path in self._notify.values():
            path.unlink(missing_ok=True)


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def command_of(name: str, config: int) -> list[str]:
    """`emotion-edge NAME --config F`, so that `ps` tells the processes apart."""
    script = shutil.which("emotion-edge", path=str(Path(sys.executable).parent))
    start = [script] if script else [sys.executable, "-m", "edge"]
    return [*start, name, "--config", f"/proc/self/fd/{config}"]


def run(
    config: Config, path: Path | None, overrides: Mapping[str, str | bool], duration_s: float | None
) -> int:
    """Run all services until a signal, `q` in the window, or the end of `duration_s`.

    `path`: where the settings were read. `overrides`: {key: value} of the command line. Returns
    the exit code: 0, or 78 where a service refused its settings. Raises UsageError, ConfigError.
    """
    config = effective(config, overrides, path)
    loop = Loop()
    loop.stop_on_signals()
    if duration_s is not None:
        loop.call_later(duration_s, loop.stop)
    make_directory(config.directory)
    os.environ[CONFIG_VARIABLE] = str((path or SYSTEM_CONFIG).absolute())
    with single_instance(config.directory, "run"), config_file(config) as file:
        return supervise(config, file, loop)


def supervise(config: Config, file: int, loop: Loop) -> ExitCode:
    """Keep all services running with the settings in `file` until the loop stops."""
    with (
        closing(StatusLine(sys.stderr, is_window(config.display.screen))) as status,
        closing(Subscriber(config.endpoint("out"), [""])) as subscriber,
    ):
        names = (*START_ORDER, *config.optional_services)
        children = [Child(name, command_of(name, file), file) for name in names]
        supervisor = Supervisor(loop, children, config.directory, status.print_line)
        loop.add_reader(subscriber.socket, lambda: status.update(subscriber.receive()))
        loop.call_every(STATUS_S, status.redraw)
        try:
            supervisor.start()
            loop.run()
        finally:
            supervisor.stop()
        return supervisor.exit_code


def effective(
    config: Config, overrides: Mapping[str, str | bool], path: Path | None = None
) -> Config:
    """The settings with the command line's, checked; the demo where there is no camera.

    `path`: where the settings were read. Raises UsageError for what the command line gave,
    ConfigError for the rest.
    """
    config = with_overrides(config, overrides)
    check_used("run", config, path, overrides)
    if config.camera.source == "auto" and camera.find_camera() is None:
        print_note("no camera found: showing the demo (choose one with --camera)")
        return with_overrides(config, {"camera.source": "demo"})
    return config
