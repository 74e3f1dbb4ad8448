import subprocess
import sys
from pathlib import Path

import pytest

from edge.commands.run import Child, Supervisor
from edge.errors import ExitCode
from edge.runtime.loop import Loop
from tests.support.harness import ROOT


def outcome(child: Child, directory: Path) -> tuple[int, list[str]]:
    """(exit code, what was said) of a supervisor whose one child refuses its settings."""
    said: list[str] = []
    loop = Loop()
    supervisor = Supervisor(
        loop, [child], directory, lambda line: (said.append(line), loop.stop())[0]
    )
    loop.call_later(10, lambda: pytest.fail("neither ended nor started again"))
    supervisor.start()
    loop.run()
    supervisor.stop()
    loop.close()
    return supervisor.exit_code, said


def refusing() -> Child:
    return Child("camera", ["sh", "-c", f"exit {ExitCode.BAD_CONFIG.value}"])


def test_a_process_that_refuses_its_settings_at_once_ends_everything(directory: Path) -> None:
    assert outcome(refusing(), directory) == (ExitCode.BAD_CONFIG, [])


def test_a_process_that_worked_with_them_before_is_started_again(directory: Path) -> None:
    child = refusing()
    child.ran_ok = True
    assert outcome(child, directory) == (
        0,
        [f"camera ended (exit code {ExitCode.BAD_CONFIG}); starting it again"],
    )


def test_it_checks_its_settings_without_numpy() -> None:
    code = (
        "import sys; from edge.commands import run; from edge.config import Config; "
        "run.effective(Config(), {'display.screen': 'none'}); "
        "print({'numpy', 'cv2'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "set()\n", done.stderr
