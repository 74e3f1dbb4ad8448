"""Has PyPI a file for each entry of the lock files, Python and architecture? Run by lock.sh."""

import itertools
import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

PYTHONS = [(3, 10), (3, 11), (3, 12), (3, 13)]
MACHINES = ["x86_64", "aarch64"]
GLIBC = 35  # Ubuntu 22.04 is the oldest system
BUILT = {"pyaudio", "python-speech-features"}
"""There are only sources of these; requirements-edge.txt and docs/pi.md name them."""


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        for python, machine in itertools.product(PYTHONS, MACHINES):
            for requirement, hashes in entries(path):
                if applies(requirement, python, machine):
                    check(requirement, hashes, python, machine)
    print(f"lock: every package but {', '.join(sorted(BUILT))} has a wheel")


def entries(path: Path) -> Iterator[tuple[Requirement, set[str]]]:
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if not line.startswith("#"):
            requirement, *hashes = line.split("--hash=sha256:")
            yield Requirement(requirement), {text.strip() for text in hashes}


def applies(requirement: Requirement, python: tuple[int, int], machine: str) -> bool:
    version = "{}.{}".format(*python)
    where = {
        "python_version": version,
        "python_full_version": f"{version}.1",
        "platform_machine": machine,
        "extra": "",
    }
    return requirement.marker is None or requirement.marker.evaluate(where)


def check(
    requirement: Requirement, hashes: set[str], python: tuple[int, int], machine: str
) -> None:
    version, tags = "{}.{}.1".format(*python), set(all_tags(python, machine))
    for file in files(requirement.name):
        if file["hashes"]["sha256"] not in hashes:
            continue
        # uv takes an upper bound of Python for none; pip does not.
        if not SpecifierSet(file["requires-python"] or "").contains(version):
            continue
        wheel = file["filename"].endswith(".whl")
        if tags & parse_wheel_filename(file["filename"])[3] if wheel else is_built(requirement):
            return
    sys.exit(f"lock: {requirement}: no file for Python {version} on {machine}; see lock.sh")


def is_built(requirement: Requirement) -> bool:
    return requirement.name in BUILT


def all_tags(python: tuple[int, int], machine: str) -> Iterator[Tag]:
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC + 1)]
    platforms += [f"manylinux2014_{machine}", f"manylinux2010_{machine}"]
    yield from cpython_tags(python, platforms=platforms)
    yield from compatible_tags(python, "cp{}{}".format(*python), platforms)


@cache
def files(name: str) -> list[dict]:
    """What PyPI's simple index (PEP 691) has of a package."""
    url = f"https://pypi.org/simple/{re.sub('[-_.]+', '-', name).lower()}/"
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=accept), timeout=60) as answer:
        return json.load(answer)["files"]


main()
