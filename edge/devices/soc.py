"""How hot the board is, and whether it throttles itself, as far as sysfs tells.

Sources: Documentation/ABI/testing/sysfs-class-thermal and sysfs-class-hwmon of Linux; the bits of
get_throttled: Raspberry Pi's documentation of vcgencmd.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SYSFS = Path("/sys")
ZONES = ("tj", "cpu", "soc")
"""A thermal zone's type begins so, the best first: a Jetson's junction is the hottest of all its
zones. A PC's zones have other names: it regulates itself, at other temperatures."""
PLAUSIBLE_C = (-60.0, 200.0)
"""A sensor that reads anything else is switched off."""
MIN_LIMIT_C = 60.0
"""Trip points below that drive a fan."""
THROTTLED_NOW = 0xF
"""Under-voltage, frequency capped, throttled, soft temperature limit; higher bits are history."""
SLOWING = ("cpufreq", "throttle")
"""Cooling devices with this in their type cost speed; others are fans."""


class Reading(NamedTuple):
    celsius: float | None
    """None = unknown; as `throttled`."""
    throttled: bool | None
    """It is slower now, because of heat or a weak power supply."""


class Soc:
    """The chip that everything runs on."""

    def __init__(self, sysfs: Path = SYSFS) -> None:
        self._zone = find_zone(sysfs)
        self._flags = sorted((sysfs / "devices/platform").glob("soc*/*firmware/get_throttled"))
        self._alarms = [
            name.with_name("in0_lcrit_alarm")
            for name in sysfs.glob("class/hwmon/hwmon*/name")
            if _text(name) == "rpi_volt"
        ]
        self._slowing = [
            kind.with_name("cur_state")
            for kind in sysfs.glob("class/thermal/cooling_device*/type")
            if any(word in _text(kind) for word in SLOWING)
        ]
        self.limit_c = min(_limits_c(self._zone), default=None) if self._zone else None
        """Where the kernel begins to slow the chip down, °C; None = unknown."""

    def read(self) -> Reading:
        """The present state."""
        flags = [*self._throttle_flags()]
        return Reading(self._celsius(), any(flags) if flags else None)

    def _celsius(self) -> float | None:
        milli_c = _number(self._zone / "temp") if self._zone else None
        if milli_c is None or not PLAUSIBLE_C[0] <= milli_c / 1e3 <= PLAUSIBLE_C[1]:
            return None
        return round(milli_c / 1e3, 1)

    def _throttle_flags(self) -> Iterator[bool]:
        """All that tell whether it is slowed down."""
        for path in self._flags:
            flags = _number(path, 16)
            if flags is not None:
                yield bool(flags & THROTTLED_NOW)
        for path in (*self._alarms, *self._slowing):
            state = _number(path)
            if state is not None:
                yield state > 0


def find_zone(sysfs: Path) -> Path | None:
    """The thermal zone of the chip."""
    zones = [
        (rank, zone)
        for zone in sorted(sysfs.glob("class/thermal/thermal_zone*"))
        for rank, name in enumerate(ZONES)
        if _text(zone / "type").startswith(name)
    ]
    return min(zones)[1] if zones else None


def _limits_c(zone: Path) -> Iterator[float]:
    """Passive trip points: above them the chip is slowed down."""
    for kind in zone.glob("trip_point_*_type"):
        milli_c = _number(kind.with_name(kind.name.replace("_type", "_temp")))
        if _text(kind) == "passive" and milli_c is not None and milli_c >= MIN_LIMIT_C * 1e3:
            yield milli_c / 1e3


def _text(path: Path) -> str:
    """What the file holds, in lower case; "" where it cannot be read."""
    try:
        return path.read_text().strip().lower()
    except OSError:  # a zone whose unit is switched off answers EAGAIN
        return ""


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(_text(path), base)
    except ValueError:
        return None
