"""Optional services: off until the settings name something, and never missed before that."""

import io
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.messages import OPTIONAL_SERVICES, SERVICES
from edge.bus.pubsub import Subscriber
from edge.commands import doctor
from edge.commands.status_line import StatusLine
from edge.config import Config, MqttConfig, RecorderConfig, WebConfig
from edge.errors import ExitCode
from edge.overlay import Snapshot
from tests.support.harness import ROOT, wait_for
from tests.support.messages import example

S = 10**9


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_all_are_off_by_default() -> None:
    assert Config().optional_services == ()
    on = Config(
        mqtt=MqttConfig(broker="mqtt://broker"),
        web=WebConfig(bind="127.0.0.1:8080"),
        recorder=RecorderConfig(keep_days=1),
    )
    assert on.optional_services == OPTIONAL_SERVICES


def test_the_doctor_does_not_speak_of_what_is_off() -> None:
    assert [*doctor.check_mqtt(Config()), *doctor.check_recorder(Config())] == []
    assert [*doctor.check_web(Config())] == []


def test_a_subscriber_ignores_what_a_later_version_publishes(directory: Path) -> None:
    endpoint = f"ipc://{directory}/out"
    with closing(sockets.make_socket(zmq.XPUB)) as later:
        sockets.bind(later, endpoint)
        with closing(Subscriber(endpoint, [""])) as subscriber:
            assert later.poll(5000)
            body = messages.encode(example("health.hub"))
            later.send_multipart([b"health.weather", body])
            later.send_multipart([b"weather", b'{"type":"weather"}'])
            pressed = msgspec.to_builtins(example("audio"))
            later.send_multipart([b"audio", messages.encode({**pressed, "trigger": "foot"})])
            received: list[str] = []

            def has_come() -> bool:
                received.extend(topic for topic, _ in subscriber.receive())
                return bool(received)

            wait_for(has_come, "the recording")
            assert received == ["audio"] and subscriber.bad == 0


def snapshot(*services: str, age_ns: int = 0) -> Snapshot:
    health = msgspec.structs.replace(example("health.hub"), t_ns=100 * S)
    fresh = dict.fromkeys(SERVICES, health)
    return Snapshot(
        now_ns=100 * S,
        since_ns=0,
        health={
            **fresh,
            **{name: msgspec.structs.replace(health, t_ns=100 * S - age_ns) for name in services},
        },
    )


def test_the_display_misses_an_optional_service_only_after_it_was_there() -> None:
    assert snapshot().missing == []
    assert snapshot("mqtt").missing == []
    assert snapshot("mqtt", age_ns=10 * S).missing == ["mqtt"]


def test_the_live_line_does_not_miss_what_is_off() -> None:
    terminal = Terminal()
    status = StatusLine(terminal)
    status.update((f"health.{name}", example(f"health.{name}")) for name in SERVICES)
    status.redraw()
    assert "missing" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("paho", ("mqtt",)), ("paho", ("mqtt", "forget")), ("tornado", ("web",))],
)
def test_what_is_switched_on_without_its_package_names_the_pip_command(
    tmp_path: Path, package: str, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[bus]\ndirectory = "{tmp_path}"\n[mqtt]\nbroker = "mqtt://127.0.0.1:9"\n'
        '[web]\nbind = "127.0.0.1:9"\n'
    )
    code = f"""
import sys
sys.modules["{package}"] = None
from edge.commands.main import main
sys.exit(main({(*arguments, "--config", str(file))!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == ExitCode.BAD_CONFIG
    name = arguments[0]
    assert done.stderr == (
        f"emotion-edge {name}: {package} is not installed: this needs the {name} extra; "
        f"in the checkout: pip install -e '.[{name}]'\n"
    )


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("pylsl", "lsl", ("lsl", "tcp://127.0.0.1:9")),
        ("pyarrow", "export", ("export", "a", "--format", "parquet", "--output", "a.parquet")),
        ("matplotlib", "plot", ("summary", "a", "--plot", "a.png")),
    ],
)
def test_a_command_without_its_package_names_the_extra(
    package: str, extra: str, arguments: tuple[str, ...]
) -> None:
    code = f"""
import sys
sys.modules[{package!r}] = None
from edge.commands.main import main
sys.exit(main({arguments!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == ExitCode.BAD_CONFIG
    assert done.stderr == (
        f"emotion-edge {arguments[0]}: {package} is not installed: this needs the {extra} extra; "
        f"in the checkout: pip install -e '.[{extra}]'\n"
    )


def test_a_pylsl_without_its_library_names_the_fix(tmp_path: Path) -> None:
    (tmp_path / "pylsl.py").write_text("raise RuntimeError('LSL binary library file not found')")
    command = [sys.executable, "-m", "edge", "lsl", "tcp://127.0.0.1:9"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.count("\n") == 1 and "set PYLSL_LIB" in done.stderr


@pytest.mark.parametrize(
    ("name", "package", "setting"),
    [("mqtt", "paho", "mqtt.broker"), ("web", "tornado", "web.bind")],
)
def test_switched_off_it_refuses_to_run(
    tmp_path: Path, name: str, package: str, setting: str
) -> None:
    pytest.importorskip(package, reason=f"no {package}: pip install -e '.[{name}]'")
    file = tmp_path / "config.toml"
    file.write_text(f'[bus]\ndirectory = "{tmp_path}"\n')
    command = [sys.executable, "-m", "edge", name, "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == ExitCode.BAD_CONFIG
    assert done.stderr.count("\n") == 1 and f"{setting} is not set" in done.stderr


def test_the_recorder_switched_off_refuses_to_run(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[bus]\ndirectory = "{tmp_path}"\n')
    command = [sys.executable, "-m", "edge", "recorder", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == ExitCode.BAD_CONFIG
    assert done.stderr.count("\n") == 1 and "recorder.keep_days is not set" in done.stderr


@pytest.mark.parametrize("command", ["hub", "face", "display", "gateway", "watch", "run"])
def test_nothing_else_imports_what_an_optional_service_needs(command: str) -> None:
    kind = "services" if command in SERVICES else "commands"
    code = f"import edge.{kind}.{command}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"paho", "tornado"} & {name.partition(".")[0] for name in loaded.stdout.split()}
