"""A progress bar on stderr, where that is a terminal; never in the way of what is printed."""

import shutil
import sys
import time
from collections.abc import Callable

from edge.commands.text import printable

CLEAR_LINE = "\r\x1b[K"
FIRST_S, PERIOD_S = 1.0, 0.2
"""Short work shows none, and long work is not slowed down by drawing it."""
BAR = 20
"""characters"""


class Progress:
    """Call `show` as often as you like, and `clear` before anything else is printed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._live = sys.stderr.isatty()
        self._shown = False
        self._started_s = clock()
        self._due_s = self._started_s + FIRST_S

    def show(self, fraction: float, what: str) -> None:
        """`fraction` (0 to 1) of the work is done; `what` is being done."""
        now_s = self._clock()
        if not self._live or now_s < self._due_s:
            return
        self._due_s = now_s + PERIOD_S
        line = progress_line(fraction, now_s - self._started_s, what)
        columns = shutil.get_terminal_size().columns - 1
        print(end=f"{CLEAR_LINE}{line[:columns]}", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        """Take the bar away."""
        if self._shown:
            print(end=CLEAR_LINE, file=sys.stderr, flush=True)
            self._shown = False


def progress_line(fraction: float, took_s: float, what: str) -> str:
    """ "[####----]  40 %, 1:05 left, film.mp4"; `took_s`: so far."""
    done = min(1.0, max(0.0, fraction))
    bar = "#" * round(BAR * done)
    left_s = round(took_s / done * (1 - done)) if done else 0
    left = f", {left_s // 60}:{left_s % 60:02} left" if done else ""
    return printable(f"[{bar:-<{BAR}}] {done:4.0%}{left}, {what}")
