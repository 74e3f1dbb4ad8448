"""Output that cannot be written or shown, too few descriptors, a full runtime folder."""

import os
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge.config import Config
from edge.runtime.process import MIN_DESCRIPTORS, single_instance
from tests.support.harness import ROOT, write_config

pytestmark = pytest.mark.timeout(120)
PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"
ODD_NAME = "a\x1b]0;title\x07\nb\x9b2J\u202ec.jpg"


def shell(
    command: str, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command line in which $EE is `emotion-edge`, and the arguments are $1, $2."""
    environment = {
        **os.environ,
        "EE": shlex.join([sys.executable, "-m", "edge"]),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "",  # as users have it
        **variables,
    }
    done = ["bash", "-c", command, "bash", *map(str, arguments)]
    return subprocess.run(done, env=environment, capture_output=True, text=True, timeout=100)


@pytest.fixture
def settings(config: Config) -> Path:
    return write_config(config, config.directory / "config.json")


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_run_goes_on_where_its_errors_cannot_be_written(settings: Path, streams: str) -> None:
    run = '$EE run --config "$1" --camera demo --screen none --duration 3'
    assert shell(f"{run} {streams}", settings).returncode == 0


@pytest.mark.parametrize("command", ["doctor", 'classify "$1"', 'classify --json "$1"'])
def test_a_result_that_cannot_be_written_is_one_line(command: str) -> None:
    done = shell(f"$EE {command} >/dev/full", PORTRAIT)
    assert done.stderr.endswith(": cannot write the output: No space left on device\n")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_key_that_cannot_be_printed_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('gateway.keys = "keys"\n')
    done = shell('$EE keys --config "$1" add laptop >/dev/full', tmp_path / "config.toml")
    assert "No space left on device; laptop was not added" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert not (tmp_path / "keys/laptop.pub").exists()


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_classify_reads_on_where_a_name_cannot_be_shown(
    tmp_path: Path, locale: dict[str, str]
) -> None:
    odd = tmp_path / "ü🙂.jpg"
    odd.symlink_to(PORTRAIT)
    done = shell('$EE classify "$1" "$2"', odd, PORTRAIT, **locale)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfc\\U0001f642.jpg: 1 face" in done.stdout
    assert f"{PORTRAIT}: 1 face" in done.stdout
    done = shell('$EE classify --json "$1"', odd, **locale)
    assert msgspec.json.decode(done.stdout)["file"] == str(odd)


def test_a_file_name_does_not_reach_the_terminal_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / ODD_NAME
    odd.symlink_to(PORTRAIT)
    done = shell('$EE classify "$1" "$1.none.jpg"', odd)
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
    assert [done.stdout.count("\n"), done.stderr.count("\n")] == [4, 1]
    done = shell('$EE classify --json "$1"', odd)
    assert done.stdout.rstrip("\n").isprintable()
    assert msgspec.json.decode(done.stdout)["file"] == str(odd)


@pytest.mark.parametrize("command", ["run --camera demo --screen none", "hub", "watch", "doctor"])
@pytest.mark.parametrize("descriptors", [8, 16, MIN_DESCRIPTORS - 1])
def test_too_few_descriptors_are_one_line(settings: Path, command: str, descriptors: int) -> None:
    done = shell(f'ulimit -n {descriptors}; $EE {command} --config "$1"', settings)
    assert done.stderr.endswith("are needed; run `ulimit -n 1024`\n")
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)


def test_a_lock_on_a_full_disk_is_held_all_the_same(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with single_instance(tmp_path, "hub"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.root
def test_run_goes_on_in_a_full_runtime_folder(config: Config, tmp_path: Path) -> None:
    settings = write_config(config, tmp_path / "config.json")
    fill = (
        "mount -t tmpfs -o size=64k,mode=700 none $1 || exit 77; ! head -c 65k /dev/zero >$1/fill"
    )
    run = "$EE run --config $2 --camera demo --screen none --duration 3"
    inside = f"unshare -m --propagation private bash -c '{fill} 2>/dev/null; {run}' bash $1 $2"
    done = shell(inside, config.directory, settings)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mounts here")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
