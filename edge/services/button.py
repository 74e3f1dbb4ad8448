"""Whatever is pressed: chosen by the settings, opened, lost and opened again, held.

Knows where presses come from, and nothing of what they start.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from edge.bus.messages import Trigger
from edge.config import ButtonConfig
from edge.devices.button.gpio_line import LineButton
from edge.devices.button.header import Button, ButtonError, NoButtonError
from edge.devices.button.input_key import KeyButton
from edge.power import power_off
from edge.runtime.loop import Loop, Timer
from edge.services.health import Health

log = logging.getLogger(__name__)

PROBLEM = "button"
RETRY_S = 2.0


class ButtonDevice(Protocol):
    """A button of any kind."""

    about: str

    def set_led(self, on: bool) -> None: ...

    def close(self) -> None: ...


class ButtonController:
    """The button that the settings ask for, as long as it is there."""

    def __init__(
        self,
        settings: ButtonConfig,
        directory: Path,
        loop: Loop,
        health: Health,
        on_press: Callable[[Trigger], None],
    ) -> None:
        """`on_press` is called in the loop's thread. `directory`: where lgpio may write."""
        self._settings = settings
        self._directory = directory
        self._loop = loop
        self._health = health
        self._on_press = on_press
        self._button: ButtonDevice | None = None
        self._hold: Timer | None = None
        self._trigger: Trigger = "key" if settings.input else "button"

    @property
    def about(self) -> str:
        """The button, in words."""
        return self._button.about if self._button else "no button"

    def open(self) -> None:
        """Find it; `health` says why not, if that can be mended."""
        try:
            self._button = self._input() if self._settings.input else self._wired()
        except NoButtonError as error:
            log.info("%s", error)
        except ButtonError as error:
            self._report_missing(error)
        else:
            self._health.clear_problem(PROBLEM)

    def _wired(self) -> ButtonDevice:
        """A button at the header or at a chip. Its threads only hand over."""
        wanted = self._settings
        pressed = partial(self._loop.call_soon_threadsafe, self._pressed)
        released = partial(self._loop.call_soon_threadsafe, self._released)
        if wanted.chip and wanted.line is not None:
            return LineButton(
                Path(wanted.chip),
                wanted.line,
                wanted.bounce_s,
                wanted.led_line,
                pressed,
                released,
                self._directory,
            )
        return Button(
            wanted.pin, wanted.bounce_s, wanted.led_pin, pressed, released, self._directory
        )

    def _input(self) -> ButtonDevice:
        """A key that comes and goes."""
        wanted = self._settings
        key = KeyButton(
            Path(wanted.input), wanted.key, wanted.bounce_s, self._pressed, self._released
        )
        self._loop.add_reader(key.descriptor, partial(self._read, key))
        return key

    def _read(self, key: KeyButton) -> None:
        try:
            key.read()
        except ButtonError as error:
            self._loop.remove_reader(key.descriptor)
            self.close()
            self._report_missing(error)

    def _report_missing(self, error: ButtonError) -> None:
        self._health.set_problem(PROBLEM, str(error))
        if self._settings.input:
            self._loop.call_later(RETRY_S, self.open)

    def _pressed(self) -> None:
        self._released()
        if self._settings.power_off_s:
            self._hold = self._loop.call_later(self._settings.power_off_s, self._held)
        self._on_press(self._trigger)

    def _released(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    def _held(self) -> None:
        self._hold = None
        log.info("held for %g s: switching the computer off", self._settings.power_off_s)
        power_off(self._loop, partial(self._health.set_problem, "power"))

    def set_led(self, on: bool) -> None:
        """Switch the LED, where there is one."""
        if self._button is not None:
            self._button.set_led(on)

    def close(self) -> None:
        """Let go of it, and of a press that goes on."""
        self._released()
        if self._button is not None:
            self._button.close()
            self._button = None
