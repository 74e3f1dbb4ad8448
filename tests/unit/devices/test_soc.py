"""The board's temperature and throttling, from sysfs trees of several boards."""

from pathlib import Path

import pytest

from edge.devices.soc import Reading, Soc
from tests.support.sysfs import add_cooling, add_throttled, add_voltage_alarm, add_zone


def test_a_board_without_thermal_zones_says_nothing(tmp_path: Path) -> None:
    soc = Soc(tmp_path)
    assert soc.read() == Reading(None, None)
    assert soc.limit_c is None


def test_a_raspberry_pi_tells_its_temperature_anew_each_time(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", 48.312, critical=90.0)
    soc = Soc(tmp_path)
    assert soc.read().celsius == 48.3
    add_zone(tmp_path, 0, "cpu-thermal", 61.0)
    assert soc.read().celsius == 61.0
    assert soc.limit_c is None, "its firmware slows it down, which the kernel does not know"


@pytest.mark.parametrize(
    ("flags", "throttled"), [(0x0, False), (0x50000, False), (0x50005, True), (0x8, True)]
)
def test_the_firmwares_flags_of_now_count_and_its_history_does_not(
    tmp_path: Path, flags: int, throttled: bool
) -> None:
    add_throttled(tmp_path, flags)
    assert Soc(tmp_path).read().throttled is throttled


def test_without_the_flags_an_alarm_of_the_supply_is_read(tmp_path: Path) -> None:
    add_voltage_alarm(tmp_path, 1)
    soc = Soc(tmp_path)
    assert soc.read().throttled is True
    add_voltage_alarm(tmp_path, 0)
    assert soc.read().throttled is False


def test_of_a_jetsons_zones_the_junction_speaks(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", 51.0)
    add_zone(tmp_path, 1, "gpu-thermal", 50.0)
    add_zone(tmp_path, 2, "soc0-thermal", 49.0)
    add_zone(tmp_path, 10, "tj-thermal", 52.5, active=45.0, passive=99.0, critical=104.5)
    soc = Soc(tmp_path)
    assert soc.read().celsius == 52.5
    assert soc.limit_c == 99.0


def test_capital_letters_in_a_zones_type_do_not_matter(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "PMIC-Die", 50.0)
    add_zone(tmp_path, 1, "CPU-therm", 42.0)
    assert Soc(tmp_path).read().celsius == 42.0


def test_a_passive_trip_point_that_drives_a_fan_is_no_limit(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "soc-thermal", 42.0, passive=50.0)
    assert Soc(tmp_path).limit_c is None


def test_a_pc_looks_after_itself(tmp_path: Path) -> None:
    add_zone(tmp_path, 0, "acpitz", 27.8)
    add_zone(tmp_path, 1, "x86_pkg_temp", 92.0)
    add_zone(tmp_path, 2, "TCPU", 92.0)
    add_cooling(tmp_path, 0, "Processor", 0)
    assert Soc(tmp_path).read() == Reading(None, None)


def test_a_core_that_the_kernel_slows_down_is_throttled_and_a_running_fan_is_not(
    tmp_path: Path,
) -> None:
    add_cooling(tmp_path, 0, "pwm-fan", 3)
    add_cooling(tmp_path, 1, "cpufreq-cpu0", 0)
    soc = Soc(tmp_path)
    assert soc.read().throttled is False
    add_cooling(tmp_path, 1, "cpufreq-cpu0", 2)
    assert soc.read().throttled is True


def test_a_zone_that_cannot_be_read_for_a_moment_says_nothing(tmp_path: Path) -> None:
    zone = add_zone(tmp_path, 0, "cpu-thermal", 50.0)
    soc = Soc(tmp_path)
    (zone / "temp").unlink()
    assert soc.read().celsius is None


@pytest.mark.parametrize("nonsense", [-256.0, 1000.0])
def test_a_sensor_that_is_switched_off_says_nothing(tmp_path: Path, nonsense: float) -> None:
    add_zone(tmp_path, 0, "cpu-thermal", nonsense)
    assert Soc(tmp_path).read().celsius is None
