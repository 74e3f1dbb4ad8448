"""DNS-SD on this host's own interfaces, without root: announced, found and withdrawn."""

import logging
import os
import sys
import time

import pytest

from edge import __version__
from edge.bus.discovery import Found, announce, find
from tests.support.harness import PATIENCE_S, wait_for

DEVICE = f"test-{os.getpid()}"
"""Other devices on the network may answer too."""


def found(*, present: bool) -> list[Found]:
    """This test's device, looked for until it answers, or until it does not."""
    pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        answers = [one for one in find(0.5) if one.device == DEVICE]
        if bool(answers) is present:
            return answers
    pytest.fail(f"{DEVICE} is found: {not present}")


@pytest.mark.parametrize(("host", "encrypted"), [("127.0.0.1", True), ("lo", False)])
def test_a_device_is_found_until_its_announcement_ends(host: str, encrypted: bool) -> None:
    stop = announce(f"tcp://{host}:5599", DEVICE, encrypted)
    try:
        answers = found(present=True)
    finally:
        stop()
    assert answers == [Found(DEVICE, "tcp://127.0.0.1:5599", __version__, encrypted)]
    assert found(present=False) == []


def test_an_interface_that_is_not_there_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("zeroconf", reason="zeroconf is not installed")
    stop = announce("tcp://no-such-interface.invalid:5599", DEVICE, True)
    try:
        wait_for(lambda: bool(caplog.records), "a warning")
    finally:
        stop()
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.getMessage().startswith("not announced on the network: ")


def test_without_zeroconf_nothing_is_announced_and_the_service_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    announce("tcp://127.0.0.1:5599", DEVICE, True)()
    with pytest.raises(ImportError):
        find()
