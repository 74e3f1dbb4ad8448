"""A module that stands for lgpio: lines of a chip that a test moves."""

from collections.abc import Callable
from types import ModuleType

Callback = Callable[[int, int, int, int], None]


class FakeLgpio(ModuleType):
    """As much of lgpio as we call; it refuses what the real one refuses."""

    SET_PULL_UP = 32
    BOTH_EDGES = 3
    HANDLE = 7

    class error(Exception):  # noqa: N801, N818 - lgpio's own name
        pass

    def __init__(self, lines: int = 164) -> None:
        super().__init__("lgpio")
        self.lines = lines
        self.opened: list[int] = []
        self.closed = 0
        self.flags: dict[int, int] = {}
        self.debounce_us: dict[int, int] = {}
        self.levels: dict[int, list[int]] = {}
        self.callbacks: dict[int, Callback] = {}

    def gpiochip_open(self, number: int) -> int:
        self.opened.append(number)
        return self.HANDLE

    def gpiochip_close(self, handle: int) -> None:
        assert handle == self.HANDLE
        self.closed += 1
        self.flags.clear()

    def _claim(self, line: int, flags: int) -> None:
        if line >= self.lines:
            raise self.error("bad GPIO number")
        if line in self.flags:
            raise self.error("GPIO busy")
        self.flags[line] = flags

    def gpio_claim_alert(self, _: int, line: int, edges: int, flags: int) -> None:
        assert edges == self.BOTH_EDGES
        self._claim(line, flags)

    def gpio_claim_output(self, _: int, line: int, level: int) -> None:
        self._claim(line, 0)
        self.levels[line] = [level]

    def gpio_set_debounce_micros(self, _: int, line: int, debounce_us: int) -> None:
        self.debounce_us[line] = debounce_us

    def gpio_write(self, _: int, line: int, level: int) -> None:
        self.levels[line].append(level)

    def callback(self, _: int, line: int, edges: int, function: Callback) -> "FakeCallback":
        assert edges == self.BOTH_EDGES
        self.callbacks[line] = function
        return FakeCallback(self, line)

    def move(self, line: int, level: int) -> None:
        """What a finger does: 0 = pressed."""
        if line in self.callbacks:
            self.callbacks[line](0, line, level, 0)


class FakeCallback:
    def __init__(self, gpio: FakeLgpio, line: int) -> None:
        self._gpio, self._line = gpio, line

    def cancel(self) -> None:
        del self._gpio.callbacks[self._line]
