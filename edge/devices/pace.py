"""Keeps a source that could run ahead at its rate. Knows nothing of pictures."""

import time


class Pace:
    """Turns at given gaps. A turn that was missed is not made up for: no burst after a pause."""

    def __init__(self) -> None:
        self._due_s = time.monotonic()

    def wait(self, gap_s: float) -> None:
        """Return `gap_s` after the last turn was due, or at once where that is long past."""
        now_s = time.monotonic()
        self._due_s += gap_s
        if now_s - self._due_s > gap_s:
            self._due_s = now_s
        time.sleep(max(0.0, self._due_s - now_s))
