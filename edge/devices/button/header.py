"""Button and LED at a Raspberry Pi's header. Knows no messages and nothing of recordings."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any


class NoButtonError(OSError):
    """This machine has no GPIO that gpiozero could use; it works without a button."""


class ButtonError(OSError):
    """There is GPIO, but it cannot be used. One line: why, and the fix."""


class Button:
    """A button between a pin and ground, and an optional LED between a pin and ground."""

    def __init__(
        self,
        pin: int,
        bounce_s: float,
        led_pin: int | None,
        on_press: Callable[[], None],
        on_release: Callable[[], None],
        directory: Path,
    ) -> None:
        """`pin`, `led_pin`: BCM numbers; the pin is pulled up, so a press is its falling edge.

        `on_press` and `on_release` are called in a thread of gpiozero's. `directory`: lgpio keeps
        its pipe there instead of in the working directory. Raises NoButtonError, ButtonError.
        """
        self._devices: list[Any] = []
        os.environ.setdefault("LG_WD", str(directory))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                button = self._open(pin, bounce_s, led_pin)
                button.when_pressed, button.when_released = on_press, on_release
        except Exception as error:  # those of gpiozero's pin libraries have no base in common
            self.close()
            raise _explain(error, f"the button at GPIO{pin}") from error
        self.about = f"button at GPIO{pin}" + ("" if led_pin is None else f", LED at GPIO{led_pin}")

    def _open(self, pin: int, bounce_s: float, led_pin: int | None) -> Any:
        """gpiozero's button; it and the LED are kept in `_devices`."""
        import gpiozero

        button = gpiozero.Button(pin, pull_up=True, bounce_time=bounce_s or None)
        self._devices.append(button)
        if led_pin is not None:
            self._devices.append(gpiozero.LED(led_pin))
        return button

    def set_led(self, on: bool) -> None:
        """Switch the LED, where there is one."""
        for led in self._devices[1:]:
            led.value = on

    def close(self) -> None:
        """LED off (a released pin may keep its level), pins released."""
        self.set_led(False)
        for device in self._devices:
            device.close()
        self._devices.clear()


def _explain(error: Exception, what: str) -> OSError:
    if isinstance(error, ModuleNotFoundError):
        return NoButtonError(f"no button ({error}; pip install gpiozero)")
    if not isinstance(error, ImportError):  # gpiozero's BadPinFactory is one
        return ButtonError(f"{what} does not work ({error}); set audio.button to free pins")
    chip = inaccessible_chip()
    if chip is not None:
        return ButtonError(
            f"no permission on {chip}; sudo usermod -aG gpio $USER, then log in again"
        )
    return NoButtonError("no button (no GPIO on this machine)")


def inaccessible_chip(
    devices: Path = Path("/dev"), device_tree: Path = Path("/proc/device-tree")
) -> Path | None:
    """A GPIO chip of a board that this user may not open."""
    for chip in board_chips(devices, device_tree):
        if not os.access(chip, os.R_OK | os.W_OK, effective_ids=True):
            return chip
    return None


def board_chips(
    devices: Path = Path("/dev"), device_tree: Path = Path("/proc/device-tree")
) -> list[Path]:
    """The GPIO chips of a board; a PC's do not count: they have no header to wire to."""
    return sorted(devices.glob("gpiochip*")) if device_tree.exists() else []
