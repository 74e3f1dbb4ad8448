"""What the doctor reports where no service is to be seen."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge import paths
from edge.bus.messages import HealthMessage
from edge.commands import doctor
from edge.config import BusConfig, CameraConfig, Config, FaceConfig
from edge.devices.camera.rotated import rotated
from edge.inference.card import load_card
from tests.support.camera import Camera
from tests.support.harness import ROOT
from tests.support.models import FACE, copy_of


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


def about_the_face_model(config: Config) -> doctor.Finding:
    (found,) = [f for f in doctor.check_models(config) if f.what == "face model"]
    return found


def test_the_face_models_share_of_the_raters_is_told() -> None:
    assert "raters' share 0." in about_the_face_model(Config()).detail
    config = msgspec.structs.replace(Config(), face=FaceConfig(raters_share=1))
    assert about_the_face_model(config).detail.endswith("raters' share 1")


def test_a_share_for_a_network_with_one_head_is_refused(tmp_path: Path) -> None:
    labels = [f"{name}{head}" for head in (1, 2) for name in load_card(FACE).labels]
    changes = {"labels": labels, "reliability": dict.fromkeys(labels, 1), "raters": None}
    face = FaceConfig(model=str(copy_of(FACE, tmp_path, **changes)), raters_share=0.5)
    found = about_the_face_model(msgspec.structs.replace(Config(), face=face))
    assert found.state == "broken"
    assert "remove raters_share" in found.detail


def test_a_package_that_is_missing_is_a_finding_with_its_fix() -> None:
    def check_detector(_: Config) -> Iterator[doctor.Finding]:
        yield doctor.Finding("ok", "first", "")
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    _, found = doctor.guarded(check_detector, Config())
    assert found[:3] == ("broken", "detector", "cv2 is not installed")
    assert "pip install" in found.fix


def test_a_service_that_has_nothing_to_say_is_running(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = HealthMessage(
        t_ns=0, time=0, state="ok", rate_hz=0, dropped=0, rss_mb=0, uptime_s=0, version="0"
    )
    monkeypatch.setattr(doctor, "_listen", lambda _: {"health.hub": health})
    found = next(doctor.check_services(without_services(directory, monkeypatch)))
    assert found == ("ok", "hub", "running", "")


@pytest.mark.parametrize(
    ("degrees", "how", "fix"),
    [(180, "head down", 180), (90, "on its side", 270), (270, "on its side", 90)],
)
def test_a_camera_that_does_not_stand_upright_is_noticed_by_the_faces(
    degrees: int, how: str, fix: int, directory: Path
) -> None:
    photo = cv2.imread(str(ROOT / "edge" / "assets" / "astronaut.jpg"))
    cv2.imwrite(str(directory / "seen.png"), rotated(np.asarray(photo, np.uint8), degrees))
    camera = CameraConfig(source=str(directory / "seen.png"))
    config = Config(bus=BusConfig(directory=str(directory)), camera=camera)
    (found,) = doctor.check_camera(config)
    assert (found.state, found.fix) == ("missing", f"set camera.rotate = {fix}")
    assert how in found.detail
    turned = msgspec.structs.replace(camera, rotate=fix)
    (found,) = doctor.check_camera(msgspec.structs.replace(config, camera=turned))
    assert found.state == "ok"


def test_a_camera_process_that_runs_is_asked_for_its_frames(config: Config) -> None:
    photo = cv2.imread(str(ROOT / "edge" / "assets" / "astronaut.jpg"))
    head_down = rotated(np.asarray(photo, np.uint8), 180)
    settings = CameraConfig(source="http://127.0.0.1:9/nothing-there", rotate=90)
    config = msgspec.structs.replace(config, camera=settings)
    shown = threading.Event()

    def show() -> None:
        camera = Camera(config)
        with closing(camera.publisher):
            while not shown.wait(0.05):
                camera.show(head_down)

    thread = threading.Thread(target=show)
    thread.start()
    (found,) = doctor.check_camera(config)
    shown.set()
    thread.join()
    assert found.fix == "set camera.rotate = 270"


def test_a_camera_that_sees_nobody_is_well(directory: Path) -> None:
    cv2.imwrite(str(directory / "wall.png"), np.full((48, 64, 3), 128, np.uint8))
    camera = CameraConfig(source=str(directory / "wall.png"))
    bus = BusConfig(directory=str(directory))
    (found,) = doctor.check_camera(Config(bus=bus, camera=camera))
    assert found.state == "ok"


def test_a_device_without_a_camera_is_well() -> None:
    (found,) = doctor.check_camera(Config(camera=CameraConfig(source="none")))
    assert found.state == "ok"


def test_a_camera_that_gives_no_picture_is_told(directory: Path) -> None:
    camera = CameraConfig(source="http://127.0.0.1:9/nothing-there")
    (found,) = doctor.check_camera(Config(bus=BusConfig(directory=str(directory)), camera=camera))
    assert found.state == "missing"
    assert "no frames from http://127.0.0.1:9/nothing-there" in found.detail
