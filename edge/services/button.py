"""The button's `press` messages, whatever kind it is: opened, lost, opened again, held."""

import logging
import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from edge.bus.messages import Press, Trigger
from edge.bus.pubsub import Publisher
from edge.config import ButtonConfig
from edge.devices.button.gpio_line import LineButton
from edge.devices.button.header import Button, ButtonError, NoButtonError
from edge.devices.button.input_key import KeyButton
from edge.runtime.loop import Loop, Timer
from edge.services.health import Health

log = logging.getLogger(__name__)

PROBLEM = "button"
RETRY_S = 2.0
POWER_OFF = (
    "busctl", "--system", "--timeout=10", "call",
    "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
    "PowerOff", "b", "false",
)  # fmt: skip
"""A call over the system's D-Bus socket, org.freedesktop.login1(5): it needs neither root nor sudo
nor a setuid program, but logind's policy (docs/boards.md)."""


class ButtonDevice(Protocol):
    """A button of any kind."""

    about: str

    def set_led(self, on: bool) -> None: ...

    def close(self) -> None: ...


class ButtonController:
    """The button that the settings ask for, as long as it is there."""

    def __init__(
        self,
        config: ButtonConfig,
        directory: Path,
        loop: Loop,
        health: Health,
        publisher: Publisher,
    ) -> None:
        """`directory`: where lgpio may write."""
        self._config = config
        self._directory = directory
        self._loop = loop
        self._health = health
        self._publisher = publisher
        self._button: ButtonDevice | None = None
        self._hold: Timer | None = None
        self._trigger: Trigger = "key" if config.input else "button"

    @property
    def about(self) -> str:
        """The button, in words."""
        return self._button.about if self._button else "no button"

    @property
    def is_there(self) -> bool:
        """Whether it could be opened."""
        return self._button is not None

    def open(self) -> None:
        """Open it; `health` gives the reason where that fails and can be fixed."""
        try:
            self._button = self._input() if self._config.input else self._wired()
        except NoButtonError as error:
            log.info("%s", error)
        except ButtonError as error:
            self._report_missing(error)
        else:
            self._health.clear_problem(PROBLEM)

    def _wired(self) -> ButtonDevice:
        """A button at the header or at a chip. Its threads only call the loop."""
        config = self._config
        on_press = partial(self._loop.call_soon_threadsafe, self._on_press)
        on_release = partial(self._loop.call_soon_threadsafe, self._on_release)
        if config.chip and config.line is not None:
            return LineButton(
                Path(config.chip),
                config.line,
                config.bounce_s,
                config.led_line,
                on_press,
                on_release,
                self._directory,
            )
        return Button(
            config.pin, config.bounce_s, config.led_pin, on_press, on_release, self._directory
        )

    def _input(self) -> ButtonDevice:
        """A key that comes and goes."""
        config = self._config
        key = KeyButton(
            Path(config.input), config.key, config.bounce_s, self._on_press, self._on_release
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
        if self._config.input:
            self._loop.call_later(RETRY_S, self.open)

    def _on_press(self) -> None:
        self._on_release()
        if self._config.power_off_s:
            self._hold = self._loop.call_later(self._config.power_off_s, self._on_hold)
        press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger=self._trigger)
        self._publisher.publish("press", press)

    def _on_release(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    def _on_hold(self) -> None:
        self._hold = None
        log.info("held for %g s: switching the computer off", self._config.power_off_s)
        power_off(self._loop, partial(self._health.set_problem, "power"))

    def set_led(self, on: bool) -> None:
        """Switch the LED, where there is one."""
        if self._button is not None:
            self._button.set_led(on)

    def close(self) -> None:
        """Let go of it, and of a press that goes on."""
        self._on_release()
        if self._button is not None:
            self._button.close()
            self._button = None


def power_off(loop: Loop, on_failure: Callable[[str], None]) -> None:
    """Ask for it; `on_failure(why)` is called in the loop's thread where it is refused."""
    try:
        process = subprocess.Popen(
            POWER_OFF,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        on_failure(f"cannot power off: busctl: {error.strerror}")
        return
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, partial(_on_power_off_ended, loop, process, pidfd, on_failure))


def _on_power_off_ended(
    loop: Loop, process: "subprocess.Popen[bytes]", pidfd: int, on_failure: Callable[[str], None]
) -> None:
    loop.remove_reader(pidfd)
    os.close(pidfd)
    _, errors = process.communicate()
    if process.returncode:
        why = errors.decode("utf-8", "replace").strip().partition("\n")[0]
        on_failure(f"cannot power off: {why or f'busctl ended with {process.returncode}'}")
    else:
        log.info("the computer is switched off")
