"""install.sh and uninstall.sh as far as they can be tried on a machine that is to stay as it is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge.bus.messages import OPTIONAL_SERVICES, SERVICES

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    "deploy/fetch-detector.sh",
    "deploy/install.sh",
    "deploy/lock.sh",
    "deploy/setup.sh",
    "deploy/uninstall.sh",
    "deploy/desktop/display.sh",
    "systemd/check.sh",
    "tests/pi/build-image.sh",
]
PLACES = [Path("/opt/emotion-edge"), Path("/etc/emotion-edge"), Path("/usr/local/bin/emotion-edge")]
needs_debian = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("systemctl")), reason="no apt or systemd here"
)


def install(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROJECT / "deploy/install.sh", *arguments], capture_output=True, text=True
    )


@needs_debian
def test_a_dry_run_says_what_it_would_do_and_does_nothing():
    before = [path.exists() for path in PLACES]
    done = install("--dry-run")
    assert done.returncode == 0, done.stderr
    assert [path.exists() for path in PLACES] == before
    if not any(before):
        for what in ("build release 0.1.0-", "enable emotion-edge@hub.service", "config.toml"):
            assert what in done.stdout


@needs_debian
def test_a_dry_run_names_the_same_release_every_time():
    assert install("--dry-run").stdout == install("--dry-run").stdout


def test_an_unknown_argument_is_refused():
    done = install("--quickly")
    assert done.returncode == 2
    assert "--quickly" in done.stderr


def test_a_wheelhouse_must_be_there():
    done = install("--dry-run", "--wheelhouse", "/nowhere")
    assert done.returncode == 1
    assert "/nowhere" in done.stderr


def test_the_scripts_can_be_executed():
    assert all(os.access(PROJECT / script, os.X_OK) for script in SCRIPTS)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck here")
def test_shellcheck_is_content():
    done = subprocess.run(
        ["shellcheck", "-x", *SCRIPTS], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def call(commands: str, *arguments: str | Path, **variables: str) -> str:
    """What commands print that use functions of install.sh; the rest of it is not run."""
    done = try_call(commands, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def try_call(
    commands: str, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    script = (PROJECT / "deploy/install.sh").read_text().partition('\narguments "$@"\n')[0]
    script = script.replace('cd "$(dirname "$0")/.."', f'cd "{PROJECT}"')
    command = ["bash", "-c", f'{script}\n{commands} "$@"', "install.sh", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)


def test_pip_takes_nothing_but_the_files_of_the_lock_and_builds_with_its_setuptools(tmp_path: Path):
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\nfor last; do :; done\ncat "$last"\n')
    python.chmod(0o755)
    printed = call("is_installed() { [ $1 = python3-pyaudio ]; }; install_requirements", tmp_path)
    _, builder, rest = re.split(r"(?m)^.*/pip install .*--require-hashes ", printed)
    assert re.findall(r"(?m)^\w\S*==", builder) == ["setuptools=="]
    assert rest.startswith("--no-build-isolation --use-pep517 ")
    assert "\nnumpy==" in rest and "\npyaudio==" not in rest
    assert rest.count("--hash=sha256:") > 100


def test_weights_that_are_not_yunets_are_refused(tmp_path: Path):
    weights = tmp_path / "face_detection_yunet_2023mar.onnx"
    weights.write_bytes(b"something else")
    refused = try_call(f"wheelhouse={tmp_path}; add_detector", tmp_path / "models")
    assert refused.returncode == 1
    assert str(weights) in refused.stderr and "sha256" in refused.stderr
    assert not (tmp_path / "models").exists()


def test_a_release_has_its_models_where_the_program_looks(tmp_path: Path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    call(f"wheelhouse={tmp_path}; install_program", venv)
    code = "from edge.paths import MODELS; print(MODELS)"
    command = [venv / "bin/python", "-I", "-c", code]
    models = Path(subprocess.check_output(command, text=True, cwd="/").strip())
    assert models.is_relative_to(venv)
    shipped = {path.name for path in (PROJECT / "models_tflite").glob("*.tflite")}
    assert {path.name for path in models.glob("*.tflite")} == shipped


@needs_debian
def test_a_system_that_knows_no_packages_yet_asks_for_them_first(tmp_path: Path):
    (tmp_path / "partial").mkdir()
    settings = tmp_path / "apt.conf"
    caches = 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
    settings.write_text(f'Dir::State::Lists "{tmp_path}"; {caches}\n')
    said = call("dry=yes; update_package_lists", APT_CONFIG=str(settings))
    assert said == "install: apt-get update\n"


@pytest.mark.skipif(not shutil.which("localedef"), reason="no localedef here")
def test_a_release_has_the_same_name_in_every_language(tmp_path: Path):
    make = ["localedef", "-i", "en_GB", "-f", "UTF-8", tmp_path / "en_GB.UTF-8"]
    if subprocess.run(make, capture_output=True).returncode > 1:
        pytest.skip("no English to be had here")
    name = 'name_release; printf "%s" "$release"; :'
    plain, english = call(name, LC_ALL="C"), call(name, LOCPATH=str(tmp_path), LC_ALL="en_GB.UTF-8")
    assert plain == english


def test_every_unit_and_drop_in_is_installed_and_removed(tmp_path: Path):
    release = tmp_path / "release"
    shutil.copytree(PROJECT / "systemd", release / "systemd")
    written = call("dry=yes; place() { echo $2; }; place_files", release)
    folder = "/usr/local/lib/systemd/system"
    assert f"{folder}/emotion-edge@.service\n" in written
    for name in OPTIONAL_SERVICES:
        assert f"{folder}/emotion-edge@{name}.service.d/" in written
    uninstall = (PROJECT / "deploy/uninstall.sh").read_text()
    assert "$shared/systemd/system/emotion-edge*" in uninstall
    disabled = re.findall(r"for name in (.*); do", uninstall)[0].split()
    assert disabled == [*SERVICES, *OPTIONAL_SERVICES]


@pytest.mark.parametrize("name", OPTIONAL_SERVICES)
def test_an_optional_service_is_enabled_only_where_somebody_did_so(name: str):
    unit = f"emotion-edge@{name}.service"
    enabled = 'systemctl() { [ "$3" = "%s" ]; }; enabled_units'
    assert unit in call(enabled % unit).split()
    assert unit not in call(enabled % "none").split()


@pytest.mark.root
@pytest.mark.parametrize("arguments", [(), ("--purge",)])
def test_uninstalling_leaves_recordings_to_root_unless_they_are_purged(
    tmp_path: Path, arguments: tuple[str, ...]
):
    """The script's own lines, with other folders and no system to change."""
    script = (PROJECT / "deploy/uninstall.sh").read_text()
    for place in ("/opt/emotion-edge", "/etc/emotion-edge", "/usr/local", "/var/lib", "/run/emot"):
        assert place in script
        script = script.replace(place, f"{tmp_path}{place}")
    script = re.sub(r"(?<!\w)/etc/(?!emotion-edge)", f"{tmp_path}/etc/", script)
    nothing = "systemctl() { :; }; udevadm() { :; }; getent() { false; }; userdel() { :; }"
    recordings = tmp_path / "var/lib/emotion-edge/recordings"
    recordings.mkdir(parents=True, mode=0o700)
    (recordings / "2026-11-23.db").write_text("somebody's")
    os.chown(recordings, 12_345, 12_345)
    command = ["bash", "-c", f"{nothing}\n{script}", "uninstall.sh", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if arguments:
        assert not (tmp_path / "var/lib/emotion-edge").exists()
    else:
        assert (recordings / "2026-11-23.db").read_text() == "somebody's"
        assert recordings.stat().st_uid == 0 and recordings.stat().st_mode & 0o777 == 0o700
        assert "emotion-edge stays; --purge would remove it" in done.stdout


WITHOUT = """
import runpy, sys
for name in sys.argv[2:]:
    sys.modules[name] = None
runpy.run_path(sys.argv[1])
"""


def test_a_release_is_compiled_without_what_only_other_computers_have(tmp_path):
    extras = msgspec.toml.decode((PROJECT / "pyproject.toml").read_bytes())["project"]
    wanted = [extras["optional-dependencies"][name] for name in ("export", "plot", "lsl")]
    absent = [re.split(r"[^a-z]", requirement)[0] for (requirement,) in wanted]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, PROJECT / "deploy/compile.py", *absent],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "LG_WD": str(tmp_path), "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
