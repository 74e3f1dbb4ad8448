"""The systemd units, without a running systemd: no fault in them, and little that they may do."""

import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.bus.messages import OPTIONAL_SERVICES, SERVICES
from edge.paths import SYSTEM_RECORDINGS

UNITS = Path(__file__).resolve().parents[2] / "systemd"
needs_systemd = pytest.mark.skipif(
    "not checked" in subprocess.run([UNITS / "check.sh"], capture_output=True, text=True).stdout,
    reason="no systemd-analyze of systemd 250 or newer here",
)


def check(units: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([units / "check.sh"], capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(UNITS, tmp_path / "systemd"))


def text_of(service: str) -> str:
    """What holds for a service: the template and its drop-ins."""
    drop_ins = sorted(UNITS.glob(f"emotion-edge@{service}.service.d/*.conf"))
    return "\n".join(p.read_text() for p in [UNITS / "emotion-edge@.service", *drop_ins])


@needs_systemd
def test_the_units_are_without_fault_and_barely_exposed():
    done = check(UNITS)
    assert done.returncode == 0, done.stdout + done.stderr
    exposed = re.findall(r"emotion-edge@(\w+)\.service: ([\d.]+)", done.stdout)
    assert [name for name, _ in exposed] == [*SERVICES, *OPTIONAL_SERVICES]
    for name, level in exposed:
        assert float(level) <= (2.0 if name == "hub" else 1.5)


@needs_systemd
def test_a_process_that_may_do_too_much_is_found(copy: Path):
    unit = copy / "emotion-edge@.service"
    unit.write_text(re.sub("(?m)^(Protect|Restrict|Private|System|Cap).*$", "", unit.read_text()))
    assert check(copy).returncode != 0


@needs_systemd
def test_a_setting_that_systemd_does_not_know_is_found(copy: Path):
    drop_in = copy / "emotion-edge@gateway.service.d" / "10-network.conf"
    drop_in.write_text(drop_in.read_text() + "LimitNoFiles=10\n")
    done = check(copy)
    assert done.returncode != 0
    assert "LimitNoFiles" in done.stdout


def test_only_gateway_mqtt_and_web_may_open_network_sockets():
    for service in (*SERVICES, *OPTIONAL_SERVICES):
        assert ("AF_INET" in text_of(service)) == (service in ("gateway", "mqtt", "web"))


def test_what_the_recorder_keeps_is_its_users_alone():
    lines = text_of("recorder").splitlines()
    assert "User=emotion-edge" in lines and "StateDirectoryMode=0700" in lines
    (folder,) = re.findall(r"(?m)^StateDirectory=(.*)$", text_of("recorder"))
    assert Path("/var/lib") / folder == SYSTEM_RECORDINGS
    for service in {*SERVICES, *OPTIONAL_SERVICES} - {"recorder"}:
        assert SYSTEM_RECORDINGS.name not in text_of(service)


def test_wrong_settings_are_not_tried_again_and_everything_else_is():
    template = text_of("hub")
    assert "RestartPreventExitStatus=78" in template
    assert "Restart=always" in template
    assert "WatchdogSec=" in template


@pytest.mark.parametrize("service", ["gateway", "web"])
def test_they_reach_private_networks_only_and_come_back_within_2_s(service: str):
    lines = text_of(service).splitlines()
    allowed = next(line for line in lines if line.startswith("IPAddressAllow="))
    networks = re.findall(r"[\d.]+/\d+", allowed)
    assert networks and all(ip_network(network).is_private for network in networks[:3])
    assert "IPAddressDeny=any" in lines and "IPAddressDeny=" not in lines
    assert "any" not in allowed
    assert "StartLimitIntervalSec=0" in lines
    assert [line for line in lines if line.startswith("RestartSec=")][-1] == "RestartSec=1"


def test_only_the_display_has_a_capability_and_it_is_the_consoles():
    for service in SERVICES:
        given = re.findall(r"(?m)^(?:Ambient)?Capabilit\w+=(.*)$", text_of(service))
        assert set(given) <= ({"", "CAP_SYS_TTY_CONFIG"} if service == "display" else {""})
