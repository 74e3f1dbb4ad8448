"""A sysfs of a board that is not here."""

from pathlib import Path


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n")


def add_zone(sysfs: Path, number: int, kind: str, celsius: float, **trips: float) -> Path:
    """A thermal zone; `trips`: type of the trip point = °C."""
    zone = sysfs / f"class/thermal/thermal_zone{number}"
    write(zone / "type", kind)
    write(zone / "temp", round(celsius * 1e3))
    for index, (trip, limit_c) in enumerate(trips.items()):
        write(zone / f"trip_point_{index}_type", trip)
        write(zone / f"trip_point_{index}_temp", round(limit_c * 1e3))
    return zone


def add_throttled(sysfs: Path, flags: int) -> Path:
    """What a Raspberry Pi's firmware says, in hexadecimal."""
    path = sysfs / "devices/platform/soc/soc:firmware/get_throttled"
    write(path, f"{flags:x}")
    return path


def add_voltage_alarm(sysfs: Path, alarm: int) -> Path:
    """The hwmon of a Raspberry Pi's supply."""
    write(sysfs / "class/hwmon/hwmon0/name", "nvme")
    write(sysfs / "class/hwmon/hwmon1/name", "rpi_volt")
    write(sysfs / "class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    return sysfs / "class/hwmon/hwmon1/in0_lcrit_alarm"


def add_cooling(sysfs: Path, number: int, kind: str, state: int) -> Path:
    device = sysfs / f"class/thermal/cooling_device{number}"
    write(device / "type", kind)
    write(device / "cur_state", state)
    return device / "cur_state"
