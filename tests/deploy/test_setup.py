"""What `make run` and `make test` do before anything else, where they cannot install."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.harness import ROOT


@pytest.mark.root
def test_without_root_what_is_missing_is_one_line_to_copy_and_nothing_is_changed(
    directory: Path,
) -> None:
    checkout, programs = directory / "checkout", directory / "bin"
    shutil.copytree(ROOT / "deploy", checkout / "deploy")
    programs.mkdir()
    for name in ("bash", "dirname", "id", "grep", "printf"):
        (programs / name).symlink_to(str(shutil.which(name)))
    for name in ("apt-get", "dpkg-query"):  # no package is installed, and nobody may install one
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    done = subprocess.run(
        [checkout / "deploy" / "setup.sh", "dev"],
        env={"PATH": str(programs)},
        user=65534,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    command = "set-up: these packages are missing; as root: apt-get install -y gcc "
    assert line.startswith(command)
    assert "python3-venv python3-dev" in line and "xvfb" in line
    assert not (checkout / ".venv").exists()
