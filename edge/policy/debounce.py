"""Values that change only when a new one has lasted: debounced, as a switch is. Pure."""

from typing import Generic, NamedTuple, TypeVar

from edge.bus.messages import NOBODY

T = TypeVar("T")

CHANGE_S = 1.0
"""An emotion that automations are told of has lasted this long,"""
NOBODY_S = 3.0
"""and an empty place this long: people look away for a moment."""


class Debounced(Generic[T]):
    """Keeps its value until another one was wanted for long enough, without a break."""

    def __init__(self, value: T, now_s: float) -> None:
        self.value = self._wanted = value
        self.began_s = self._wanted_s = self.changed_s = now_s
        """When the value was first wanted; `changed_s`: when it became the value."""

    def update(self, now_s: float, wanted: T, after_s: float, least_s: float = 0.0) -> bool:
        """True where the value is now another one.

        `after_s`: for how long that one must have been wanted. `least_s`: for how long a value
        stays at least.
        """
        if wanted != self._wanted:
            self._wanted, self._wanted_s = wanted, now_s
        if wanted == self.value or now_s - self._wanted_s < after_s:
            return False
        if now_s - self.changed_s < least_s:
            return False
        self.value, self.began_s, self.changed_s = wanted, self._wanted_s, now_s
        return True


class Change(NamedTuple):
    """One emotion followed another."""

    previous: str
    emotion: str
    lasted_s: float
    """From the beginning of `previous` to that of `emotion`."""
    began_s: float


class ChangeDetector:
    """From what is published several times a second to events that an automation can act on."""

    def __init__(self, now_s: float) -> None:
        self._state = Debounced(NOBODY, now_s)

    def update(self, now_s: float, emotion: str) -> Change | None:
        """`emotion`: a label, UNCERTAIN or NOBODY. A change, where there is one."""
        previous, began_s = self._state.value, self._state.began_s
        if not self._state.update(now_s, emotion, NOBODY_S if emotion == NOBODY else CHANGE_S):
            return None
        return Change(previous, emotion, self._state.began_s - began_s, self._state.began_s)
