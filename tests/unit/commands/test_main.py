import subprocess
import sys

from edge.errors import ExitCode
from tests.support.harness import ROOT


def without_numpy(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """What the command does in a subscriber's installation."""
    code = f"""
import sys
sys.modules["numpy"] = None
from edge.commands.main import main
sys.exit(main({arguments!r}))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_a_subscribers_installation_names_the_extra_that_is_missing() -> None:
    done = without_numpy("classify", "edge/assets/astronaut.jpg")
    assert done.returncode == ExitCode.BAD_CONFIG
    line = "emotion-edge classify: numpy is not installed: this needs the device extra"
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_doctor_goes_on_where_packages_are_missing() -> None:
    done = without_numpy("doctor")
    assert (done.returncode, done.stderr) == (ExitCode.FAILED, "")
    assert "numpy is not installed" in done.stdout
    assert "fix: in the checkout: pip install -e '.[device]'" in done.stdout
    assert "  processes " in done.stdout or "  hub " in done.stdout
