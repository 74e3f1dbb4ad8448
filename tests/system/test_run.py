"""The main job: six processes, started and ended as one, whatever happens to each of them."""

import os
import signal
import time
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge.bus.messages import SERVICES, FaceMessage, HealthMessage, Message
from edge.config import Config
from tests.support.harness import PATIENCE_S, emotion_edge, listening, wait_for, write_config
from tests.support.product import Product, is_alive, product, until_all_speak


def test_ctrl_c_ends_everything_with_exit_code_0(running: Product) -> None:
    pids = [running.pid(name) for name in SERVICES]
    code, errors = running.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in errors
    assert not [pid for pid in pids if is_alive(pid)]


def test_children_do_not_outlive_a_supervisor_that_was_killed(running: Product) -> None:
    pids = [running.pid(name) for name in SERVICES]
    running.process.kill()
    running.process.communicate(timeout=PATIENCE_S)
    wait_for(lambda: not any(map(is_alive, pids)), "the children are gone")


def test_the_processes_can_be_told_apart(running: Product) -> None:
    for name in SERVICES:
        pid = running.pid(name)
        assert Path(f"/proc/{pid}/comm").read_text().strip() == f"edge-{name}"
        assert f"\0{name}\0" in Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_process_comes_back_while_the_others_go_on(running: Product, name: str) -> None:
    others = [(other, running.pid(other)) for other in SERVICES if other != name]
    first = running.pid(name)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: running.pid(name) != first, f"{name} is back")
    running.listener.until(lambda topic, m: topic == f"health.{name}" and is_new(m))
    running.listener.topic("face")
    running.listener.topic("emotion")
    assert [(other, running.pid(other)) for other, _ in others] == others


def is_new(message: Message) -> bool:
    return (
        isinstance(message, HealthMessage) and message.uptime_s < PATIENCE_S and message.seq < 200
    )


def test_a_camera_that_was_stopped_leaves_no_backlog(running: Product) -> None:
    pid = running.pid("camera")
    os.kill(pid, signal.SIGSTOP)
    running.listener.until(
        lambda topic, m: (
            topic == "health.face" and isinstance(m, HealthMessage) and m.state == "degraded"
        )
    )
    resumed_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGCONT)
    captured_ns = []

    def fifty_faces(_: str, message: Message) -> bool:
        if isinstance(message, FaceMessage):
            captured_ns.append(message.t_ns)
        return len(captured_ns) == 50

    running.listener.until(fifty_faces)
    assert min(captured_ns[2:]) > resumed_ns


def test_a_consumer_that_was_stopped_sees_new_frames_only(running: Product) -> None:
    pid = running.pid("face")
    stopped_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGSTOP)
    for _ in range(3):  # one a second
        running.listener.topic("health.camera")
    resumed_ns = time.monotonic_ns()
    os.kill(pid, signal.SIGCONT)
    running.listener.until(lambda _, m: isinstance(m, FaceMessage) and m.t_ns > resumed_ns)
    captured_ns = [m.t_ns for _, m in running.listener.received if isinstance(m, FaceMessage)]
    missed = [t_ns for t_ns in captured_ns if stopped_ns < t_ns < resumed_ns - 10**9]
    assert len(missed) <= 2, "at most what was on its way when it stopped"


def test_a_second_run_in_the_same_folder_is_refused(running: Product) -> None:
    file = running.config.directory / "config.json"
    with emotion_edge("run", "--config", file) as second:
        _, errors = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 78
    assert f"pid {running.process.pid}" in errors
    assert "Traceback" not in errors


def test_duration_ends_it(config: Config) -> None:
    with product(config, "--duration", "1") as running:
        _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 0, errors


def test_an_image_file_shows_the_demo_with_its_overlay(config: Config, tmp_path: Path) -> None:
    image = tmp_path / "screen.png"
    with product(config, "--screen", image) as running:
        until_all_speak(running)
        wait_for(image.exists, "the image is written")
        first = cv2.imread(str(image))
        assert first is not None
        assert first.shape[0] > 480, "the panel is below the image"
        wait_for(lambda: not np.array_equal(first, cv2.imread(str(image))), "it is alive")
        assert running.end()[0] == 0


def test_without_a_camera_the_demo_is_shown_and_it_says_so(config: Config) -> None:
    if any(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    with product(config, "--camera", "auto") as running:
        running.listener.until(lambda _, m: isinstance(m, FaceMessage) and bool(m.faces), 60)
        errors = running.end()[1]
    assert "no camera found: showing the demo" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["run", "--camera", "none.mp4"], 2, "none.mp4"),
        (["run", "--microphone", "none.wav"], 2, "none.wav"),
        (["run", "--screen", "image.bmp"], 2, "image.bmp"),
        (["run", "--screen", "/no/such/folder/a.png"], 2, "/no/such/folder"),
        (["run", "--config", "none.toml"], 78, "none.toml"),
        (["camera", "--config", "none.toml"], 78, "none.toml"),
        (["classify", "none.png"], 2, "none.png"),
        (["classify", "pyproject.toml"], 2, "pyproject.toml"),
        (["record", "ipc:///tmp/no-such-emotion-edge/in"], 1, "/tmp/no-such-emotion-edge/in"),
        (["record", "tcp://127.0.0.1:5999"], 2, "tcp://127.0.0.1:5999: no hub's input"),
        (["watch", "nonsense"], 1, "nonsense"),
        (["watch", "--topic", "emotoin"], 2, "did you mean emotion?"),
        (["dance"], 2, "dance"),
    ],
)
def test_bad_input_gets_one_line_and_the_documented_exit_code(
    arguments: list[str], code: int, named: str
) -> None:
    with emotion_edge(*arguments) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert named in errors
    assert "Traceback" not in errors
    if arguments[0] != "dance":  # argparse shows the usage too
        assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("service", "section", "key", "value"),
    [
        ("camera", "camera", "source", "no.mp4"),
        ("camera", "camera", "source", "empty.mp4"),
        ("face", "face", "model", "empty.mp4"),
        ("audio", "audio", "model", "no.tflite"),
        ("audio", "audio", "source", "empty.wav"),
        ("fusion", "audio", "model", "no.tflite"),
        ("hub", "bus", "directory", "missing/folder"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_its_process_with_78_and_one_line(
    config: Config, directory: Path, service: str, section: str, key: str, value: str
) -> None:
    (directory / "empty.mp4").touch()
    (directory / "empty.wav").touch()
    table = msgspec.structs.replace(getattr(config, section), **{key: str(directory / value)})
    file = write_config(
        msgspec.structs.replace(config, **{section: table}), directory / "config.json"
    )
    with emotion_edge(service, "--config", file) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 78, errors
    assert errors.startswith(f"emotion-edge {service}: ")
    assert value in errors
    assert errors.count("\n") == 1


def test_run_ends_with_78_where_a_process_refuses_its_settings(config: Config) -> None:
    face = msgspec.structs.replace(config.face, model="none.tflite")
    with product(msgspec.structs.replace(config, face=face)) as running:
        _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 78
    said = [line for line in errors.splitlines() if "none.tflite" in line]
    assert said and all(line.startswith("emotion-edge ") for line in said)


def test_watch_prints_json_lines_with_their_topic(running: Product) -> None:
    with emotion_edge("watch", running.config.gateway.local, "--json", "--count", "40") as process:
        out, _ = process.communicate(timeout=60)
    lines = [msgspec.json.decode(line) for line in out.splitlines()]
    assert process.returncode == 0
    assert len(lines) == 40
    assert {"face", "emotion"} <= {line["topic"] for line in lines}
    assert all(line["type"] == line["topic"].partition(".")[0] for line in lines)


def test_watch_survives_a_reader_that_leaves(running: Product) -> None:
    with emotion_edge("watch", running.config.gateway.local) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        code = process.wait(PATIENCE_S)
    assert (code, errors) == (0, "")


def test_frames_keep_coming_to_anyone_who_looks(running: Product) -> None:
    with listening(running.config.endpoint("out"), "health.camera") as listener:
        health = listener.until(lambda _, m: isinstance(m, HealthMessage) and m.rate_hz > 5)
    assert isinstance(health, HealthMessage)
    assert health.state == "ok"
