"""One thread's event loop: sockets and file descriptors, timers, calls from other threads, signals.

It knows ZeroMQ's poller, and nothing of what the services do.
"""

import contextlib
import heapq
import itertools
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Union

import zmq

Handler = Callable[[], None]
Source = Union["zmq.Socket[bytes]", int]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Timer:
    """A call that is due later; `cancel()` forgets it."""

    def __init__(self, handler: Handler, period_s: float | None) -> None:
        self.handler = handler
        self.period_s = period_s
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Waits for the first of many things, and calls what belongs to it."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._handlers: dict[Source, Handler] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._calls: deque[Handler] = deque()
        self._stop_handlers: list[Handler] = []
        self._running = True
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.add_reader(self._wake_out.fileno(), self._woken)

    def add_reader(self, source: Source, handler: Handler) -> None:
        """Call `handler` whenever `source` (a ZeroMQ socket or a descriptor) can be read."""
        self._handlers[source] = handler
        self._poller.register(source, zmq.POLLIN)

    def has_reader(self, source: Source) -> bool:
        return source in self._handlers

    def remove_reader(self, source: Source) -> None:
        """Forget a source."""
        del self._handlers[source]
        self._poller.unregister(source)

    def call_later(self, delay_s: float, handler: Handler) -> Timer:
        """Call `handler` once, `delay_s` from now."""
        return self._schedule(Timer(handler, None), delay_s)

    def call_every(self, period_s: float, handler: Handler) -> Timer:
        """Call `handler` every `period_s`; turns that are missed are not made up for."""
        return self._schedule(Timer(handler, period_s), period_s)

    def _schedule(self, timer: Timer, delay_s: float) -> Timer:
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._count), timer))
        return timer

    def call_soon_threadsafe(self, handler: Handler) -> None:
        """Have the loop's own thread call `handler` soon. Safe from any thread."""
        self._calls.append(handler)
        with contextlib.suppress(OSError):  # full: it wakes up anyway; closed: nobody is left
            self._wake_in.send(b"\0")

    def on_stop(self, handler: Handler) -> None:
        """Call `handler` when the loop was stopped, before anything is closed."""
        self._stop_handlers.append(handler)

    def stop(self) -> None:
        """Let `run` return after what it is at."""
        self._running = False

    def stop_on_signals(self) -> None:
        """SIGINT and SIGTERM stop the loop. They arrive as bytes on the wake-up socket."""
        signal.set_wakeup_fd(self._wake_in.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, _read_from_the_socket)

    def run(self) -> None:
        """Serve until `stop` or a signal. Whatever a handler raises escapes."""
        while self._running:
            self.turn()
        self.stopped()

    @property
    def is_running(self) -> bool:
        """Whether nobody has stopped it."""
        return self._running

    def turn(self, timeout_s: float | None = None) -> bool:
        """Wait for something, at most so long, and call what belongs to it; False when stopped."""
        for source, _ in self._poller.poll(self._wait_ms(timeout_s)):
            handler = self._handlers.get(source)
            if handler is not None and self._running:
                handler()
        self._call_due_timers()
        return self._running

    def stopped(self) -> None:
        """Call what waits for the end."""
        for handler in self._stop_handlers:
            handler()

    def _wait_ms(self, timeout_s: float | None) -> int | None:
        due_s = [self._timers[0][0] - time.monotonic()] if self._timers else []
        wait_s = min([*due_s, *([] if timeout_s is None else [timeout_s])], default=None)
        return None if wait_s is None else max(0, round(wait_s * 1e3 + 0.5))

    def _call_due_timers(self) -> None:
        now = time.monotonic()
        while self._running and self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.cancelled:
                continue
            if timer.period_s is not None:
                self._schedule(timer, timer.period_s)
            timer.handler()

    def _woken(self) -> None:
        if set(self._wake_out.recv(4096)).intersection(STOP_SIGNALS):
            self.stop()
        while self._calls and self._running:
            self._calls.popleft()()

    def close(self) -> None:
        """Give the wake-up socket back; signals go to Python's own handlers again."""
        if signal.getsignal(STOP_SIGNALS[0]) is _read_from_the_socket:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._wake_in.close()
        self._wake_out.close()


def _read_from_the_socket(number: int, frame: FrameType | None) -> None:
    """Python writes the number to the wake-up socket; this only keeps its default away."""
