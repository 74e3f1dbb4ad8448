"""Exports: every format by its own rules, with what people wrote as data and never as code."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bus.recordings import Session, Span
from edge.commands.main import main
from edge.errors import ExitCode, UserError
from edge.recordings.formats import (
    BIDS,
    PYFEAT,
    WRITERS,
    Export,
    bids_sidecar,
    safe,
)
from edge.recordings.plot import MAX_TICKS, ticks
from edge.recordings.reader import Reader
from edge.recordings.resample import resample
from edge.recordings.summary import Summary
from edge.recordings.table import COLUMNS, NOTICE, Line, Table
from tests.support.harness import ROOT
from tests.support.recordings import NOON, record, record_session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of two minutes with two faces from the second minute on, and a day's rest."""
    folder = tmp_path_factory.mktemp("kept")
    record_session(folder, NOON, 120, note='<b>"pilot"</b>', faces=2)
    record(folder, NOON + 1000, 60)
    return folder


@pytest.fixture
def session(folder: Path) -> Session:
    return Reader(folder).sessions()[0]


def chunks(folder: Path, span: Span):
    reader, cursor = Reader(folder), None
    while True:
        answer = reader.chunk(span, cursor)
        yield answer.rows
        cursor = answer.cursor
        if cursor is None:
            return


def exported(folder: Path, session: Session, kind: str, **options: object) -> str:
    table = Table(float(int(session.start[1])))
    span = Span(start=(session.start[0], float(int(session.start[1]))), stop=session.stop)
    lines = table.lines(chunks(folder, span))
    out = io.StringIO(newline="")
    WRITERS[kind](Export(table, lines, session, **options), out)
    return out.getvalue()


def csv_rows(text: str, separator: str = ",") -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)]


def test_csv_has_every_second_and_every_face_once(folder: Path, session: Session) -> None:
    rows = csv_rows(exported(folder, session, "csv"))
    emotions = [row for row in rows if row["kind"] == "emotion"]
    assert [float(row["onset_s"]) for row in emotions] == [float(n) for n in range(120)]
    faces = [row for row in rows if row["kind"] == "face"]
    assert len(faces) == 2 * 60 and {row["face"] for row in faces} == {"1", "2"}
    assert [row["kind"] for row in rows].count("voice") == 1
    assert set(rows[0]) == {*COLUMNS, NOTICE}


def test_csv_quotes_what_people_wrote_and_no_spreadsheet_takes_it_for_a_formula(
    folder: Path, session: Session
) -> None:
    (mark,) = [row for row in csv_rows(exported(folder, session, "csv")) if row["kind"] == "mark"]
    assert mark["text"] == '\'=cmd()\n"film" <b>, 🙂'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_become_text(text: str) -> None:
    assert safe(text) == "'" + text and safe(f" {text}") == f" {text}"


def test_with_a_semicolon_numbers_have_a_decimal_comma(folder: Path, session: Session) -> None:
    (voice,) = [
        row
        for row in csv_rows(exported(folder, session, "csv", separator=";"), ";")
        if row["kind"] == "voice"
    ]
    assert voice["level_dbfs"] == "-21,5" and voice["emotion"] == "sad"


def test_jsonl_begins_with_a_header_that_names_law_session_and_models(
    folder: Path, session: Session
) -> None:
    lines = [json.loads(line) for line in exported(folder, session, "jsonl").splitlines()]
    assert lines[0]["kind"] == "header" and lines[0]["notice"] == NOTICE
    assert lines[0]["session"]["note"] == '<b>"pilot"</b>'
    assert lines[1]["kind"] == "stretch" and lines[1]["device"] == "kitchen"
    assert None not in lines[2].values()


def test_events_of_bids_keep_its_rules(folder: Path, session: Session) -> None:
    lines = exported(folder, session, "tsv-bids").splitlines()
    assert lines[0].split("\t") == list(BIDS) and lines[0].startswith("onset\tduration")
    cells = [line.split("\t") for line in lines[1:]]
    assert {len(row) for row in cells} == {len(BIDS)}
    onsets = [float(row[0]) for row in cells]
    assert onsets == sorted(onsets) and all(float(row[1]) >= 0 for row in cells)
    assert all(cell for row in cells for cell in row)  # n/a, never empty
    levels = json.loads(bids_sidecar(Export(Table(0.0), [], session)))["trial_type"]["Levels"]
    assert {row[2] for row in cells} <= set(levels)


def test_a_mark_that_looks_like_a_formula_is_text_in_events_of_bids(
    folder: Path, session: Session
) -> None:
    cells = [line.split("\t") for line in exported(folder, session, "tsv-bids").splitlines()]
    assert [row[3] for row in cells if row[2] == "mark"] == ['\'=cmd() "film" <b>, 🙂']


def test_webvtt_has_cues_in_order_and_no_markup_of_others(folder: Path, session: Session) -> None:
    text = exported(folder, session, "webvtt")
    assert text.startswith(f"WEBVTT\n\nNOTE {NOTICE}")
    times = re.findall(r"^(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})$", text, re.M)
    assert [begin for begin, _ in times] == sorted(begin for begin, _ in times)
    assert all(begin < end for begin, end in times)
    assert 'mark: =cmd() "film" &lt;b&gt;, 🙂' in text


def test_pyfeat_has_its_columns_and_a_row_for_each_face(folder: Path, session: Session) -> None:
    rows = csv_rows(exported(folder, session, "pyfeat"))
    assert set(rows[0]) == {*PYFEAT, NOTICE} and len(rows) == 120
    sums = [sum(float(row[name]) for name in PYFEAT[7:14]) for row in rows]
    assert all(0.95 < total < 1.05 for total in sums)


def lines_of(folder: Path, since: float = 0.0, until: float = 1e12) -> list[Line]:
    return [*Table(None).lines(chunks(folder, Span(since=since, until=until)))]


def test_a_gap_is_a_line_of_its_own(folder: Path) -> None:
    gaps = [line for line in lines_of(folder) if line.kind == "gap"]
    assert [(line.t, line.cell("gap_s")) for line in gaps] == [(NOON + 120, 880)]


def test_from_and_to_are_kept(folder: Path) -> None:
    times = [line.t for line in lines_of(folder, NOON + 10, NOON + 20) if line.kind == "emotion"]
    assert times == [NOON + n for n in range(10, 20)]


def test_at_a_lower_rate_lines_are_means(folder: Path) -> None:
    lines = lines_of(folder, NOON + 60, NOON + 120)
    slow = [
        line for line in resample(lines, 10.0) if line.kind == "face" and line.cell("face") == 1
    ]
    assert [line.cell("onset_s") for line in slow] == [0, 10, 20, 30, 40, 50]
    for number, line in enumerate(slow):
        given = [
            one
            for one in lines
            if one.kind == "face" and one.cell("face") == 1
            and 10 * number <= one.cell("onset_s") < 10 * number + 10
        ]  # fmt: skip
        mean = sum(one.cell("sad") for one in given) / len(given)
        assert line.cell("sad") == pytest.approx(mean, abs=1e-4)
        assert line.cell("n") == 300


def test_a_higher_rate_than_was_kept_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r'recorder\.detail = "frame"'):
        list(resample(lines_of(folder), 1 / 30))


def test_a_summary_counts_what_is_there_and_what_is_missing(folder: Path) -> None:
    summary = Summary()
    summary.take(lines_of(folder))
    assert (summary.seconds, summary.gaps, summary.missing_s) == (180, 1, 880)
    assert summary.present == 60 + 60 - sum(
        1 for n in range(60) if (NOON + 1000 + n) // 60 % 5 == 0
    )
    assert sum(summary.shares.values()) == 180 and summary.recordings == 1
    text = "\n".join(summary.text())
    assert text.index("missing") < text.index("faces")
    assert "1 gap, 0:14:40" in text and "happy → sad" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_long_series_has_few_points_whose_means_are_right() -> None:
    summary = Summary()
    cells = [None] * len(COLUMNS)
    for second in range(5000):
        line = Line("emotion", float(second), list(cells))
        line.cells[COLUMNS.index("onset_s")] = float(second)
        line.cells[COLUMNS.index("angry")] = second % 2
        line.cells[COLUMNS.index("faces")] = 1.0
        summary.series.add(line)
    points = summary.series.points()
    assert len(points) <= 600 and summary.series.step_s == 16
    assert {point.scores["angry"] for point in points} == {0.5}


@pytest.fixture
def settings(folder: Path, tmp_path: Path) -> str:
    file = tmp_path / "config.toml"
    file.write_text(f'bus.directory = "{tmp_path}/run"\nrecorder.directory = "{folder}"\n')
    return str(file)


def run(settings: str, *arguments: object) -> int:
    return main([*map(str, arguments), "--config", settings])


def test_an_existing_file_is_kept_unless_force_is_given(
    settings: str, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a.csv"
    output.write_text("mine")
    assert run(settings, "export", session.id, "--output", output) == ExitCode.USAGE
    assert "--force replaces it" in capsys.readouterr().err and output.read_text() == "mine"
    assert run(settings, "export", session.id, "--output", output, "--force") == ExitCode.OK
    assert output.read_text().startswith("time,utc")


def test_on_a_full_disk_no_half_file_is_left(
    settings: str, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file may be larger than some bytes, which fails as a full disk does."""
    folder = Path(settings).parent
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        code = run(settings, "export", session.id, "--output", folder / "full.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == ExitCode.FAILED
    assert "File too large; nothing is written" in capsys.readouterr().err
    assert [path for path in folder.iterdir() if "full" in path.name] == []


def test_an_interrupted_export_leaves_nothing(
    settings: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(settings).parent

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(WRITERS, "csv", interrupted)
    assert run(settings, "export", session.id, "--output", folder / "half.csv") == ExitCode.OK
    assert [path for path in folder.iterdir() if "half" in path.name] == []


def test_an_empty_session_is_a_header_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    session = record_session(folder, NOON, 1)
    empty = Session(id="x", note="", consent="", start=(9, NOON + 500.0), stop=(9, NOON + 501.0))
    assert session
    for kind in WRITERS:
        text = exported(folder, empty, kind)
        assert text.strip(), kind
    assert len(csv_rows(exported(folder, empty, "csv"))) == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "name a session, or --from and --to"),
        (("a", "--from", "2026-11-23"), "name a session, or --from and --to"),
        (("--from", "yesterday"), "yesterday: no time"),
        (("--from", "2026-11-23", "--to", "2026-11-22"), "--to is not after --from"),
        (("nobody",), "no session is called 'nobody'"),
        (("a", "--format", "tsv-bids", "--output", "a.tsv"), "_events.tsv"),
    ],
)
def test_what_makes_no_sense_gets_one_line(
    settings: str, arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "export", *arguments) in (ExitCode.USAGE, ExitCode.FAILED)
    error = capsys.readouterr().err
    assert why in error and error.count("\n") == 1


def emotion_line(second: int, label: str | None) -> Line:
    cells = [None] * len(COLUMNS)
    given = {"onset_s": float(second), "stretch": 1, "emotion": label, "faces": 1.0}
    for name, value in given.items():
        cells[COLUMNS.index(name)] = value
    return Line("emotion", float(second), cells)


def test_shares_are_of_the_whole_time_and_name_all_that_is_no_emotion() -> None:
    labels = ["happy"] * 40 + ["uncertain"] * 20 + ["nobody"] * 10 + [None] * 5
    gap = Line("gap", 75.0, [None] * len(COLUMNS))
    gap.cells[COLUMNS.index("gap_s")] = 25.0
    summary = Summary()
    summary.take([*map(emotion_line, range(75), labels), gap])
    text = "\n".join(summary.text())
    found = re.findall(r"^(\w[\w ]*?) +(\d+\.\d)% +(\d:\d\d:\d\d)", text, re.M)
    assert found == [
        ("happy", "40.0", "0:00:40"),
        ("uncertain", "20.0", "0:00:20"),
        ("nobody", "10.0", "0:00:10"),
        ("no fusion", "5.0", "0:00:05"),
        ("missing", "25.0", "0:00:25"),
    ]


def test_without_a_gap_none_is_named() -> None:
    summary = Summary()
    summary.take([emotion_line(0, "happy"), emotion_line(1, None)])
    assert "missing      0:00:01 without fusion" in summary.text()


@pytest.mark.parametrize("end_s", [1, 7, 59, 61, 600, 1800, 5400, 86_400, 700_000])
def test_the_time_axis_has_a_few_round_moments(end_s: int) -> None:
    marked = ticks(end_s)
    assert marked[0] == 0 and 2 <= len(marked) <= MAX_TICKS + 1
    assert marked.step <= 60 or marked.step % 60 == 0 or end_s > 8 * 86_400


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.csv", "time,utc"), ("a.jsonl", "{"), ("a.vtt", "WEBVTT"), ("x_events.tsv", "onset\t")],
)
def test_the_format_is_that_of_the_files_name(
    settings: str, session: Session, tmp_path: Path, name: str, begins: str
) -> None:
    assert run(settings, "export", session.id, "-o", tmp_path / name) == ExitCode.OK
    assert (tmp_path / name).read_text().startswith(begins)


def test_a_name_that_tells_no_format_is_refused(
    settings: str, session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, "export", session.id, "-o", tmp_path / "a.xlsx") == ExitCode.USAGE
    assert "add --format, or end it in one of .csv .jsonl" in capsys.readouterr().err
    code = run(settings, "export", session.id, "-o", tmp_path / "a.xlsx", "--format", "csv")
    assert code == ExitCode.OK


def test_an_export_of_nothing_says_so(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "none.csv"
    assert run(settings, "export", "--from", "2001-01-01", "--to", "2001-01-02", "-o", output) == 0
    assert "nothing was recorded in that time" in capsys.readouterr().err
    assert output.read_text().startswith("time,utc")


def test_to_is_not_part_of_what_is_exported(settings: str, tmp_path: Path) -> None:
    output, span = tmp_path / "a.csv", ("2026-11-23T12:00:10Z", "2026-11-23T12:00:20Z")
    assert run(settings, "export", "--from", span[0], "--to", span[1], "-o", output) == ExitCode.OK
    seconds = [row["utc"] for row in csv_rows(output.read_text()) if row["kind"] == "emotion"]
    assert seconds[0] == span[0] and seconds[-1] == "2026-11-23T12:00:19Z"


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_a_terminal_gets_nothing_that_it_would_act_on(tmp_path: Path, kind: str) -> None:
    record_session(tmp_path / "kept", NOON + 60, 20)
    (day,) = (tmp_path / "kept").glob("*.db")
    with contextlib.closing(sqlite3.connect(day, isolation_level=None)) as connection:
        connection.execute("UPDATE mark SET text = ?", ("a\x1b]0;x\x07\tb\x9b2J",))
    (session,) = Reader(tmp_path / "kept").sessions()
    file = tmp_path / "config.toml"
    file.write_text(f'bus.directory = "{tmp_path}/run"\nrecorder.directory = "{tmp_path}/kept"\n')
    command = [sys.executable, "-m", "edge", "export", session.id, "--format", kind]
    shown = in_terminal([*command, "--config", str(file)])
    assert not {"\x1b", "\x07", "\x9b"} & {*shown} and shown.count("\n") > 3
    output = subprocess.run([*command, "--config", str(file)], capture_output=True, cwd=ROOT).stdout
    assert kind == "pyfeat" or b"\x1b" in output or b"\\u001b" in output  # a file keeps it


def in_terminal(command: list[str]) -> str:
    """What it prints to one."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=ROOT) as process:
        os.close(theirs)
        printed = bytearray()
        with contextlib.suppress(OSError):  # the other side is closed: the end
            while part := os.read(ours, 65_536):
                printed += part
        os.close(ours)
        assert process.wait() == 0
    return printed.decode()


def test_a_plot_is_one_page_that_needs_nothing_else(
    settings: str, session: Session, tmp_path: Path
) -> None:
    output = tmp_path / "plot.html"
    assert run(settings, "summary", session.id, "--plot", output) == ExitCode.OK
    page = output.read_text()
    assert "<svg" in page and "<script" not in page and "http" not in page
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert NOTICE in page.replace("&#x27;", "'")
