import subprocess
import sys

import pytest

from edge.errors import ExitCode
from tests.support.harness import ROOT


@pytest.mark.parametrize("arguments", [["doctor"], ["classify", "edge/assets/astronaut.jpg"]])
def test_a_subscribers_installation_names_the_extra_that_is_missing(arguments: list[str]) -> None:
    code = f"""
import sys
sys.modules["numpy"] = None
from edge.commands.main import main
sys.exit(main({arguments!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == ExitCode.BAD_CONFIG
    line = f"emotion-edge {arguments[0]}: numpy is not installed: this needs the device extra"
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
