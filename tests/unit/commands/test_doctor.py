"""What the doctor reports where no service is to be seen."""

import os
from pathlib import Path

import msgspec
import pytest

from edge import paths
from edge.commands import doctor
from edge.config import Config


def without_services(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(doctor, "LISTEN_S", 0.1)
    config = Config()
    return msgspec.structs.replace(
        config, bus=msgspec.structs.replace(config.bus, directory=str(directory))
    )


def test_services_that_are_closed_to_this_user_are_not_called_absent(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SYSTEM_DIRECTORY", tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    (found,) = doctor.check_services(without_services(directory, monkeypatch))
    assert "permission denied" in found.detail
    assert "usermod -aG emotion-edge" in found.fix


def test_services_that_do_not_run_are_called_so(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = doctor.check_services(without_services(directory, monkeypatch))
    assert found.detail == f"none running in {directory}"
