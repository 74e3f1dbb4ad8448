"""What holds between two hosts: the README's three commands, a cut cable, who is found."""

import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import paths
from tests.conftest import Measured
from tests.support.harness import PATIENCE_S, ROOT
from tests.support.hosts import Host, ip, needs_hosts, two_hosts
from tests.support.sizes import CUT_S

pytestmark = [pytest.mark.root, needs_hosts]
CONFIG = """
device = "kitchen"
[bus]
directory = "{home}/run"
[gateway]
local = ""
remote = "tcp://*:5557"
"""


@pytest.fixture
def hosts(directory: Path) -> Iterator[tuple[Host, Host]]:
    with two_hosts(directory) as (device, other):
        (device.home / "config.toml").write_text(CONFIG.format(home=device.home))
        yield device, other


@contextlib.contextmanager
def program(host: Host, command: str) -> Iterator["subprocess.Popen[str]"]:
    with host.start(command) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def reachable(device: Host) -> Iterator[None]:
    """The two processes that a subscriber on another host needs."""
    with (
        program(device, "exec emotion-edge hub --config config.toml"),
        program(device, "exec emotion-edge gateway --config config.toml"),
    ):
        yield


def done(host: Host, command: str) -> str:
    """Run a command to its end; what it printed."""
    with host.start(command) as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return out


def readme_commands() -> list[tuple[str, str]]:
    """(command, where) of the section "From another host"."""
    section = (ROOT / "README.md").read_text().partition("### From another host")[2]
    block = section.partition("```sh\n")[2].partition("```")[0]
    return [(c.strip(), w) for c, _, w in (line.partition("#") for line in block.splitlines())]


@pytest.mark.skipif(paths.SYSTEM_KEYS.exists(), reason="this machine's own keys are not touched")
def test_the_readmes_three_commands_work_as_written(hosts: tuple[Host, Host]) -> None:
    device, laptop = hosts
    commands = readme_commands()
    assert len(commands) == 3
    (add, at_device), (copy, at_laptop), (watch, _) = commands
    assert ("device" in at_device, "laptop" in at_laptop) == (True, True)
    done(device, add)
    with reachable(device):
        done(laptop, copy)
        with program(laptop, f"exec {watch}") as watching:
            assert watching.stdout is not None
            assert re.match(r"kitchen +health\.(hub|gateway) +ok", watching.stdout.readline())


def test_a_subscriber_outlives_a_cut_cable_and_says_that_it_was_stale(
    hosts: tuple[Host, Host], measured: Measured
) -> None:
    device, laptop = hosts
    done(device, "emotion-edge keys --config config.toml add laptop ../other/laptop.key")
    watch = "exec emotion-edge watch tcp://kitchen.local:5557 --key laptop.key --json"
    with (
        reachable(device),
        program(laptop, watch) as watching,
    ):
        assert watching.stdout is not None and watching.stderr is not None
        watching.stdout.readline()
        device.link("down")
        time.sleep(CUT_S)
        device.link("up")
        before_s = time.time()
        while json.loads(watching.stdout.readline())["time"] < before_s:
            pass
        measured(f"cable out for {CUT_S} s: resumes after", time.time() - before_s, 5.0, "s")
        watching.terminate()
        said = watching.stderr.read()
    assert "earlier messages are stale" in said
    assert "back after" in said


def found_from(laptop: Host) -> str:
    """What `watch` finds, as soon as it finds the device."""
    deadline_s = time.monotonic() + PATIENCE_S
    found = ""
    while "kitchen" not in found and time.monotonic() < deadline_s:
        with laptop.start("exec emotion-edge watch") as watching:
            found, _ = watching.communicate(timeout=60)
    return found


@pytest.mark.parametrize("network", ["there", "later"])
def test_watch_without_an_address_finds_the_device(hosts: tuple[Host, Host], network: str) -> None:
    pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    device, laptop = hosts
    done(device, "emotion-edge keys --config config.toml make")
    if network == "later":
        ip("-n", device.name, "address", "flush", "dev", "eth0")
    with reachable(device):
        if network == "later":
            done(device, "until ss -ltn | grep -q :5557; do sleep 0.1; done")
            ip("-n", device.name, "address", "add", f"{device.address}/24", "dev", "eth0")
        found = found_from(laptop)
    assert found.splitlines()[0].startswith("kitchen  (")
    assert found.splitlines()[1] == "    emotion-edge watch tcp://10.77.0.1:5557 --key FILE"


def test_a_device_that_is_not_to_be_found_is_not(hosts: tuple[Host, Host]) -> None:
    device, laptop = hosts
    with (device.home / "config.toml").open("a") as file:
        file.write("announce = false\n")
    done(device, "emotion-edge keys --config config.toml make")
    with (
        reachable(device),
        laptop.start("exec emotion-edge watch") as watching,
    ):
        out, errors = watching.communicate(timeout=60)
    assert (out, watching.returncode) == ("", 1)
    assert "No other device found" in errors or "zeroconf" in errors
