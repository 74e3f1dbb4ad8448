"""How far this host's clock is ahead of a device's. Pure: fed with pairs of times.

A message says when it was published, by the device's clock; it arrives a little later, by ours. The
difference is the clocks' offset and the way's delay; its minimum over a while is the offset and the
shortest delay (the clock filter of NTP, RFC 5905 section 10, for one direction). So an age is too
small by that shortest delay, which is below a millisecond on a wired network.
"""

WINDOW_S = 60.0
"""The offset follows clocks that drift or are set within one to two of these."""


class ClockOffset:
    """The estimate, from what came in the last one to two windows."""

    def __init__(self) -> None:
        self._before_s: float | None = None
        self._lowest_s: float | None = None
        self._since_s = 0.0

    def take(self, published_s: float, arrived_s: float) -> None:
        """`published_s`: Unix time on the device's clock; `arrived_s`: on ours."""
        difference_s = arrived_s - published_s
        if self._lowest_s is None or not 0 <= arrived_s - self._since_s < WINDOW_S:
            self._before_s, self._lowest_s = self._lowest_s, difference_s
            self._since_s = arrived_s
        self._lowest_s = min(self._lowest_s, difference_s)

    @property
    def seconds(self) -> float:
        """Our clock minus the device's, s; too high by the shortest delay. 0 before any message."""
        known = [s for s in (self._before_s, self._lowest_s) if s is not None]
        return min(known, default=0.0)
