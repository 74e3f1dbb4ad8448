"""A button and an LED at lines of a GPIO chip, on boards that gpiozero does not support.

Through lgpio, which needs no Raspberry Pi: chip and line are what `gpioinfo` shows. Knows no
messages and nothing of recordings.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.devices.button.header import ButtonError

LOW = 0
CHIP = re.compile(r"gpiochip(\d+)")


class LineButton:
    """A button between a line and ground, and an optional LED between a line and ground."""

    def __init__(
        self,
        chip: Path,
        line: int,
        bounce_s: float,
        led_line: int | None,
        on_press: Callable[[], None],
        on_release: Callable[[], None],
        directory: Path,
    ) -> None:
        """`chip`: such as /dev/gpiochip0. The line is pulled up where the chip can do that.

        `on_press` and `on_release` are called in a thread of lgpio's. `directory`: lgpio keeps
        its pipe there. Raises ButtonError.
        """
        number = chip_number(chip)
        os.environ.setdefault("LG_WD", str(directory))
        try:
            import lgpio
        except ImportError as error:
            raise ButtonError(f"no button ({error}); sudo apt install python3-lgpio") from error
        self._lgpio: Any = lgpio
        self._on_press, self._on_release = on_press, on_release
        self._led_line: int | None = None
        try:
            self._handle = lgpio.gpiochip_open(number)
        except lgpio.error as error:
            raise ButtonError(f"{chip} does not open ({error}); set audio.button.chip") from error
        try:
            self._claim(line, bounce_s, led_line)
        except lgpio.error as error:
            lgpio.gpiochip_close(self._handle)
            raise ButtonError(
                f"line {line} of {chip} does not work ({error}); set audio.button to free lines"
            ) from error
        led = "" if led_line is None else f", LED at line {led_line}"
        self.about = f"button at line {line} of {chip.name}{led}"

    def _claim(self, line: int, bounce_s: float, led_line: int | None) -> None:
        gpio = self._lgpio
        gpio.gpio_claim_alert(self._handle, line, gpio.BOTH_EDGES, gpio.SET_PULL_UP)
        gpio.gpio_set_debounce_micros(self._handle, line, round(bounce_s * 1e6))
        if led_line is not None:
            gpio.gpio_claim_output(self._handle, led_line, LOW)
            self._led_line = led_line
        self._callback = gpio.callback(self._handle, line, gpio.BOTH_EDGES, self._on_edge)

    def _on_edge(self, _chip: int, _line: int, level: int, _t_ns: int) -> None:
        (self._on_press if level == LOW else self._on_release)()

    def set_led(self, on: bool) -> None:
        """Switch the LED, where there is one."""
        if self._led_line is not None:
            self._lgpio.gpio_write(self._handle, self._led_line, int(on))

    def close(self) -> None:
        """LED off, lines released."""
        self.set_led(False)
        self._callback.cancel()
        self._lgpio.gpiochip_close(self._handle)


def chip_number(chip: Path) -> int:
    """What lgpio calls a chip: N of /dev/gpiochipN, or of a link to it. Raises ButtonError."""
    found = CHIP.fullmatch(chip.resolve().name)
    if found is None:
        raise ButtonError(f"{chip} is not a GPIO chip; set audio.button.chip, see gpiodetect")
    if not chip.exists():
        raise ButtonError(f"there is no {chip}; set audio.button.chip, see gpiodetect")
    if not os.access(chip, os.R_OK | os.W_OK, effective_ids=True):
        raise ButtonError(f"no permission on {chip}; docs/boards.md has the udev rule for it")
    return int(found[1])
