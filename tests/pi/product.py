"""The product on the virtual Pi, as the person at the board knows it: units, journal, settings."""

import time
from pathlib import Path

from edge.bus.messages import SERVICES
from tests.pi.machine import Pi, PiError

ACTIVE_S = 3600.0
"""Six Pythons start at once, and every instruction is translated."""
SETTINGS = "/etc/emotion-edge/config.toml"
TOOLS = "/mnt/host/inside"
RELEASE = "/opt/emotion-edge/current"
PYTHON = f"{RELEASE}/venv/bin/python"


def unit(service: str) -> str:
    return f"emotion-edge@{service}.service"


class Product:
    def __init__(self, pi: Pi) -> None:
        self.pi = pi

    def property(self, service: str, name: str) -> str:
        return self.pi.says(f"systemctl show -p {name} --value {unit(service)}")

    def restarts(self) -> dict[str, int]:
        return {name: int(self.property(name, "NRestarts")) for name in SERVICES}

    def pids(self) -> dict[str, int]:
        names = " ".join(map(unit, SERVICES))
        said = self.pi.says(f"systemctl show -p MainPID --value {names}").split()
        return dict(zip(SERVICES, map(int, said), strict=True))

    def wait_for_another(self, service: str, pid: int, limit_s: float) -> None:
        """Wait until the process is another than `pid`. In the guest: each look costs it time."""
        ask = f"p=$(systemctl show -p MainPID --value {unit(service)})"
        self.pi.ssh(f"while {ask}; [ $p = 0 -o $p = {pid} ]; do sleep 1; done", timeout_s=limit_s)

    def wait_until_active(self, limit_s: float = ACTIVE_S) -> float:
        """Seconds that it took. Raises AssertionError."""
        started_s = time.monotonic()
        names = " ".join(map(unit, SERVICES))
        count = f"systemctl is-active {names} | grep -cx active"
        waiting = f"until [ $({count}) = {len(SERVICES)} ]; do sleep 1; done"
        try:
            self.pi.ssh(waiting, timeout_s=limit_s)
        except PiError:
            pass
        else:
            return time.monotonic() - started_s
        states = self.pi.ssh("systemctl list-units --all --no-legend 'emotion-edge*'").stdout
        journal = self.pi.ssh("journalctl -q -n 20 -o cat -u 'emotion-edge*'").stdout
        raise AssertionError(f"not all units are active after {limit_s:.0f} s:\n{states}{journal}")

    def journal(self, service: str, since: str) -> list[str]:
        """The process's own lines since a moment (journalctl's --since)."""
        query = f"journalctl -q -o cat --since '{since}' _SYSTEMD_UNIT={unit(service)}"
        return self.pi.says(query).splitlines()

    def now(self) -> str:
        """A moment for `journal`."""
        return self.pi.says("date '+%Y-%m-%d %H:%M:%S'")

    def key_of(self, name: str, to: Path) -> Path:
        """Let a subscriber in, and fetch its key, as a person would with scp."""
        self.pi.ssh(f"emotion-edge keys remove {name}", check=False)
        to.write_text(self.pi.says(f"emotion-edge keys add {name}"))
        return to

    def doctor(self) -> list[str]:
        """Its findings that are not ok. Raises PiError where something is broken."""
        said = self.pi.says("emotion-edge doctor").splitlines()
        return [line for line in said[:-1] if line.strip() and not line.startswith("ok ")]

    def feed(self, what: str, seconds: float) -> None:
        """Images into the camera, in the background: a IMAGE in the guest, or `empty`."""
        self.stop_feeding()
        command = f"{PYTHON} {TOOLS}/feed.py {what} 3 {seconds:.0f}"
        self.pi.ssh(f"systemd-run -q --collect --unit=vpi-feed {command}")

    def stop_feeding(self) -> None:
        self.pi.ssh("systemctl stop vpi-feed 2>/dev/null", check=False)

    def play(self, sound: str) -> None:
        """A sound file of the guest into the microphone, again and again."""
        loop = f"while aplay -q -D plughw:Loopback,0,0 {sound}; do :; done"
        self.pi.ssh(f"systemd-run -q --collect --unit=vpi-play sh -c '{loop}'")

    def stop_playing(self) -> None:
        self.pi.ssh("systemctl stop vpi-play 2>/dev/null", check=False)
