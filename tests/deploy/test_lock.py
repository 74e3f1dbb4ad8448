"""The lock files hold what pyproject.toml asks for, on every Python and architecture, by hash."""

import importlib.metadata
import itertools
import re

import msgspec
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.harness import ROOT

PROJECT = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEVICE = [
    *PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"],
    *EXTRAS["device"], *EXTRAS["mqtt"], *EXTRAS["web"],
]  # fmt: skip
LOCKS = {"requirements-edge.lock": DEVICE, "requirements-dev.lock": [*DEVICE, *EXTRAS["dev"]]}
PYTHONS, MACHINES = ("3.10", "3.11", "3.12", "3.13"), ("x86_64", "aarch64")


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock file with its hashes."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / lock).read_text()).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        requirement, *hashes = line.split("--hash=")
        found.append((Requirement(requirement), [text.strip() for text in hashes]))
    return found


def environment(python: str, machine: str) -> dict[str, str]:
    return {
        **default_environment(), "python_version": python, "python_full_version": f"{python}.1",
        "platform_machine": machine, "sys_platform": "linux",
    }  # fmt: skip


def applies(requirement: Requirement, where: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": "", **where})


def pinned(lock: str, where: dict[str, str]) -> dict[str, str]:
    """The one version of each package there."""
    found: dict[str, str] = {}
    for requirement, _ in entries(lock):
        if applies(requirement, where):
            name = canonicalize_name(requirement.name)
            assert name not in found
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[name] = pin.version
    return found


@pytest.mark.parametrize(("python", "machine"), [*itertools.product(PYTHONS, MACHINES)])
@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_a_version_that_fits_every_requirement(
    lock: str, python: str, machine: str
) -> None:
    where = environment(python, machine)
    versions = pinned(lock, where)
    for requirement in map(Requirement, LOCKS[lock]):
        if applies(requirement, where):
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_file_that_pip_may_install_has_a_hash(lock: str) -> None:
    for requirement, hashes in entries(lock):
        assert hashes, requirement
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", text) for text in hashes)


def test_what_tests_run_on_is_what_the_device_runs_on() -> None:
    device, dev = map(entries, LOCKS)
    assert not [entry for entry in device if entry not in dev]


def test_the_runtime_of_the_models_depends_on_the_python_as_before() -> None:
    for python, machine in itertools.product(PYTHONS, MACHINES):
        versions = pinned("requirements-edge.lock", environment(python, machine))
        assert "ai-edge-litert" in versions
        assert ("tflite-runtime" in versions) == (python in ("3.10", "3.11"))
        assert versions["numpy"].startswith("1." if python in ("3.10", "3.11") else "2.")


@pytest.mark.parametrize("lock", LOCKS)
def test_what_a_locked_package_needs_is_locked_too(lock: str) -> None:
    where = {key: str(value) for key, value in default_environment().items()}
    versions = pinned(lock, where)
    for name, version in versions.items():
        for text in needs_of(name, version):
            need = Requirement(text)
            if applies(need, where):
                assert canonicalize_name(need.name) in versions, f"{name} needs {need}: make lock"


def needs_of(name: str, version: str) -> list[str]:
    """What a package needs, where it is installed here in that version."""
    try:
        installed = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return []
    return list(installed.requires or []) if installed.version == version else []
