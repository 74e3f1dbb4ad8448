"""What `make run` and `make test` do before anything else, where they cannot install."""

import os
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
    command = (
        "set-up: these packages are missing; as root: apt-get update && apt-get install -y gcc "
    )
    assert line.startswith(command)
    assert "python3-venv python3-dev" in line and "xvfb" in line
    assert not (checkout / ".venv").exists()


PYTHON = """#!/bin/sh
case "$*" in
  --version) echo Python 3 ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *) echo "$@" >>calls ;;
esac
"""


def test_a_moved_or_half_made_environment_is_made_again_from_the_lock(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in ("pyproject.toml", "requirements-edge.lock"):
        shutil.copy(ROOT / name, tmp_path)
    left = tmp_path / ".venv" / "bin" / "left"
    left.parent.mkdir(parents=True)
    left.touch()
    (tmp_path / "bin").mkdir()
    installed = "#!/bin/sh\necho install ok installed\n"
    for name, text in (("python", PYTHON), ("dpkg-query", installed), ("apt-get", "")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHON": str(tmp_path / "bin" / "python")}
    for _ in range(2):  # the second time there is nothing to do
        subprocess.run([tmp_path / "deploy" / "setup.sh"], env=environment, check=True)
        builder, locked, checkout = (tmp_path / "calls").read_text().splitlines()
        assert not left.exists()
    assert "--require-hashes" in builder
    assert "--require-hashes" in locked and "--no-build-isolation" in locked
    assert checkout.endswith("--no-deps --no-build-isolation -e .")
