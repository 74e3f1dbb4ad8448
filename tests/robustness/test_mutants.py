"""Damaged files of every kind through `emotion-edge classify`: an answer or one line for each."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Measured
from tests.support.mutants import File, images, mutated, sounds
from tests.support.peak import run_python
from tests.support.sizes import LONGEST_S, MUTATED_IMAGES, MUTATED_SOUNDS

pytestmark = pytest.mark.timeout(LONGEST_S)
BATCH = 100
MAX_MB = 400


class Outcome(NamedTuple):
    code: int
    answered: int
    errors: list[str]
    peak_mb: float


def classify(folder: Path, files: list[Path]) -> Outcome:
    """All of them in one process."""
    out, errors = folder / "out", folder / "errors"
    with out.open("w") as stdout, errors.open("w") as stderr:
        command = "-m", "edge", "classify", "--json", *files
        code, peak_mb = run_python(*command, stdout=stdout, stderr=stderr)
    lines = errors.read_text(errors="replace").splitlines()
    return Outcome(code, out.read_text().count("\n"), lines, peak_mb)


def written(folder: Path, number: int, file: File) -> Path:
    path = folder / f"{number:05}.{file[0]}"
    path.write_bytes(file[1])
    return path


@pytest.mark.parametrize(
    ("kind", "seeds", "count"),
    [("images", images, MUTATED_IMAGES), ("sounds", sounds, MUTATED_SOUNDS)],
)
def test_each_damaged_file_has_an_answer_or_one_line(
    tmp_path: Path, measured: Measured, kind: str, seeds: Callable[[], list[File]], count: int
) -> None:
    chance, whole, peak_mb, odd = random.Random(20261123), seeds(), 0.0, []
    for first in range(0, count, BATCH):
        batch = [
            written(tmp_path, number, mutated(chance, whole[number % len(whole)], whole))
            for number in range(first, min(first + BATCH, count))
        ]
        outcome = classify(tmp_path, batch)
        refused = [line for line in outcome.errors if line.startswith("emotion-edge classify: ")]
        assert outcome.code in (0, 2), (outcome.code, first, outcome.errors[-5:])
        assert outcome.answered + len(refused) == len(batch), outcome.errors[-20:]
        odd += [line for line in outcome.errors if "Traceback" in line]
        peak_mb = max(peak_mb, outcome.peak_mb)
        for path in batch:
            path.unlink()
    about = f"{count} damaged {kind} of {len(whole)} seeds"
    measured(f"{about}: tracebacks", len(odd), 0, "")
    measured(f"{about}: peak memory of `classify`", peak_mb, MAX_MB, "MB")
