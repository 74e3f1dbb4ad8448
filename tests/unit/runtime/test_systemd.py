"""What is said to systemd, on a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.runtime.systemd import Notifier, watchdog_s
from tests.support.systemd import WATCHDOG_S, Systemd


@pytest.fixture
def systemd(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    systemd = Systemd(directory)
    for name, value in systemd.environment.items():
        monkeypatch.setenv(name, value)
    yield systemd
    systemd.close()


def test_ready_and_stopping_are_said_in_systemds_words(systemd: Systemd) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.stopping()
    systemd.until("STOPPING=1")
    assert systemd.received == ["READY=1", "STOPPING=1"]
    notifier.close()


def test_a_status_is_one_line_and_said_when_it_changes(systemd: Systemd) -> None:
    notifier = Notifier()
    for line in ("ok", "ok", "degraded: no\ncamera"):
        notifier.status(line)
    notifier.stopping()
    systemd.until("STOPPING=1")
    assert systemd.received[:-1] == ["STATUS=ok", "STATUS=degraded: no camera"]
    notifier.close()


def test_the_watchdog_is_fed_once_in_half_of_its_time(systemd: Systemd) -> None:
    times_s = [10.0, 10.1, 10.15, 10.25, 10.3, 10.5]
    notifier = Notifier(clock=iter(times_s).__next__)
    for _ in times_s:
        notifier.alive()
    notifier.stopping()
    systemd.until("STOPPING=1")
    assert systemd.received[:-1] == ["WATCHDOG=1"] * 3
    notifier.close()


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watchdog_s() == WATCHDOG_S
    monkeypatch.setenv("WATCHDOG_PID", str(os.getppid()))
    assert watchdog_s() == 0
    notifier = Notifier()
    notifier.alive()
    notifier.stopping()
    systemd.until("STOPPING=1")
    assert systemd.received == ["STOPPING=1"]
    notifier.close()


def test_a_socket_of_the_abstract_kind_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"emotion-edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0{name}")
        channel.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notifier = Notifier()
        notifier.ready()
        assert channel.recv(100) == b"READY=1"
        notifier.close()


def test_without_systemd_and_without_a_listener_nothing_happens(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("", str(directory / "nobody")):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "1")
        notifier = Notifier()
        notifier.ready()
        notifier.alive()
        notifier.status("ok")
        notifier.close()
