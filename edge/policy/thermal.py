"""How often faces are looked for on a board that gets hot. Pure: temperatures in, a rate out."""

from collections.abc import Sequence

LIMIT_C = 80.0
"""Where a Raspberry Pi's firmware begins to slow the cores down (its documentation, "Frequency
management and thermal control"). A board whose kernel names a limit is asked for it."""
STEPS: Sequence[tuple[float, float]] = ((8.0, 10.0), (5.0, 6.0), (2.0, 3.0))
"""(so many °C below the limit, at most so many faces a second)"""
HYSTERESIS_C = 4.0
"""A step is left when it is so much cooler than where it begins."""
CALM_S = 30.0
"""One step back in this time at most: what was just too hot is hot again soon."""


class ThermalThrottle:
    """Goes down by steps as it gets hotter, and comes back."""

    def __init__(self, limit_c: float | None) -> None:
        """`limit_c`: where the board slows itself down; None = not known."""
        self._limit_c = LIMIT_C if limit_c is None else limit_c
        self._changed_s = 0.0
        self.step = 0
        """0 = as fast as it goes; else STEPS[step - 1] is in force."""

    def update(self, now_s: float, celsius: float | None, throttled: bool | None) -> None:
        """What the board says at `now_s`. None = not known."""
        wanted = max(self._by_heat(celsius), int(bool(throttled)))
        if wanted < self.step:
            if now_s - self._changed_s < CALM_S:
                return
            wanted = self.step - 1
        if wanted != self.step:
            self.step, self._changed_s = wanted, now_s

    def _by_heat(self, celsius: float | None) -> int:
        if celsius is None:
            return 0
        begins = [
            self._limit_c - below_c - (HYSTERESIS_C if step < self.step else 0.0)
            for step, (below_c, _) in enumerate(STEPS)
        ]
        return sum(celsius >= begin_c for begin_c in begins)

    @property
    def rate_hz(self) -> float | None:
        """At most so many faces a second; None = no limit."""
        return STEPS[self.step - 1][1] if self.step else None

    def describe(self, throttled: bool | None) -> str:
        """The problem in one line, without the temperature, which always changes; "" = none."""
        if not self.step:
            return ""
        why = "slows itself down (heat, or a weak power supply)" if throttled else "is hot"
        return f"the board {why}: faces at most {self.rate_hz:g} times a second"
