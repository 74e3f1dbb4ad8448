"""The report's table names tests that there are, and all of those of the core's processes."""

import re

from benchmarks.robustness import ROWS, Result, Row, is_there, of_row, page, worst
from tests.support.harness import ROOT

NAMED = {test for row in ROWS for test in row.tests}
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def test_every_test_that_a_row_names_is_there() -> None:
    for name in NAMED:
        file, _, test = name.partition("::")
        assert not test or test in TEST.findall((ROOT / file).read_text()), name


def test_every_test_of_robustness_is_in_a_row() -> None:
    for file in (ROOT / "tests" / "robustness").glob("test_*.py"):
        if file.name.startswith("test_mqtt"):
            continue  # an optional service has a page of its own
        name = str(file.relative_to(ROOT))
        for test in TEST.findall(file.read_text()):
            assert {name, f"{name}::{test}"} & NAMED, f"{name}::{test}"


def test_a_test_that_is_gone_is_told_from_one_that_is_there() -> None:
    here = "tests/unit/test_robustness_report.py"
    assert is_there(f"{here}::test_a_figure_above_its_bar_is_marked[case]")
    assert not is_there(f"{here}::test_that_was_removed[case]")
    assert not is_there("tests/unit/test_removed.py::test_that_was_removed")


def test_a_row_takes_its_own_tests_and_shows_the_worst_of_each_kind() -> None:
    row = Row("an attack", "a promise", ("tests/a.py::test_b",))
    results = {
        "tests/a.py::test_b[1]": Result("passed", 1, "", [("one: gap", 20, 100, "ms")]),
        "tests/a.py::test_b[2]": Result("passed", 1, "", [("two: gap", 30, 100, "ms")]),
        "tests/a.py::test_bc": Result("passed", 1, "", [("three: gap", 40, 100, "ms")]),
    }
    found = of_row(row, results)
    assert len(found) == 2
    assert worst(found) == "gap 30 ms (100)"


def test_a_figure_above_its_bar_is_marked() -> None:
    about = dict.fromkeys(("cpu", "cores", "system", "python"), "")
    result = Result("failed", 1, "2026-01-01", [("one: gap", 120, 100, "ms")])
    assert "| one: gap | 120 ms **missed** | 100 ms |" in page({"tests/a.py::b": result}, about)
