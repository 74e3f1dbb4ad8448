"""Every format of `export`, opened by the program that it is for."""

import json
import math
import os
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from edge.commands.main import main
from edge.recordings.reader import Reader
from edge.recordings.table import COLUMNS, NOTICE
from tests.support.recordings import NOON, record_session

SECONDS, FACES = 600, 2
WITH_FACES = 480
"""Of ten minutes nobody is there in two."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    record_session(folder / "kept", NOON, SECONDS, note="pilot", faces=FACES)
    (folder / "config.toml").write_text(
        f'bus.directory = "{folder}/run"\nrecorder.directory = "{folder}/kept"\n'
    )
    return folder


def export(folder: Path, kind: str, name: str, *more: str) -> Path:
    session = Reader(folder / "kept").sessions()[0]
    output = folder / name
    arguments = ["export", session.id, "--format", kind, "--output", str(output), "--force"]
    assert main([*arguments, *more, "--config", str(folder / "config.toml")]) == 0
    return output


def test_pandas_reads_csv_as_it_is(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(export(folder, "csv", "a.csv"))
    assert [*table.columns] == [*COLUMNS, NOTICE]
    faces = table[table.kind == "face"]
    assert len(faces) == WITH_FACES * FACES and faces.happy.dtype == float
    assert faces.happy.between(0, 1).all()
    assert pandas.to_datetime(table.utc, format="ISO8601").is_monotonic_increasing
    (mark,) = table[table.kind == "mark"].text
    assert mark == '\'=cmd()\n"film" <b>, 🙂'


def test_pandas_reads_a_semicolon_and_a_decimal_comma(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = export(folder, "csv", "b.csv", "--sep", ";")
    table = pandas.read_csv(path, sep=";", decimal=",")
    assert table[table.kind == "face"].happy.between(0, 1).all()


def test_pandas_reads_jsonl(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.read_json(export(folder, "jsonl", "a.jsonl"), lines=True)
    assert (table.kind == "face").sum() == WITH_FACES * FACES
    assert table.notice[0] == NOTICE


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R: apt install r-base-core")
def test_r_reads_csv_and_csv2_as_they_are(folder: Path) -> None:
    comma, semicolon = export(folder, "csv", "a.csv"), export(folder, "csv", "b.csv", "--sep", ";")
    code = """
    files <- commandArgs(TRUE)
    for (table in list(read.csv(files[1]), read.csv2(files[2]))) {
      faces <- table[table$kind == "face", ]
      cat(nrow(faces), class(faces$happy), mean(faces$happy), ncol(table), "\\n")
    }
    """
    command = ["Rscript", "-e", code, str(comma), str(semicolon)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    by_comma, by_semicolon = printed.splitlines()
    assert by_comma == by_semicolon
    count, kind, mean, columns = by_comma.split()
    assert (int(count), kind) == (WITH_FACES * FACES, "numeric")
    assert 0 < float(mean) < 1 and int(columns) == len(COLUMNS) + 1


def test_py_feats_fex_has_faces_emotions_and_identities(folder: Path) -> None:
    pytest.importorskip("feat")
    from feat.utils.io import read_feat

    fex = read_feat(str(export(folder, "pyfeat", "feat.csv")))
    assert type(fex).__name__ == "Fex" and len(fex) == WITH_FACES * FACES
    assert {*fex.emotions.columns} == {
        *("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    }
    assert fex.emotions.sum(axis=1).between(0.95, 1.05).all()
    assert fex.faceboxes.FaceRectWidth.eq(120).all()
    assert sorted(fex.Identity.unique()) == ["1-1", "1-2"]


def test_duckdb_and_pyarrow_read_parquet(folder: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = export(folder, "parquet", "a.parquet")
    table = parquet.read_table(path)
    assert [*table.column_names] == [*COLUMNS]
    assert table.schema.metadata[b"notice"].decode() == NOTICE
    assert json.loads(table.schema.metadata[b"session"])["note"] == "pilot"
    counted = duckdb.sql(
        f"SELECT count(*), avg(happy), max(face) FROM '{path}' WHERE kind = 'face'"
    ).fetchall()
    (counted,) = counted
    assert counted[0] == WITH_FACES * FACES and 0 < counted[1] < 1 and counted[2] == FACES


def test_bids_events_keep_the_rules_of_the_specification(folder: Path) -> None:
    """BIDS 1.10, "Task events" and "Tabular files", as pandas reads such a file."""
    pandas = pytest.importorskip("pandas")
    path = export(folder, "tsv-bids", "sub-01_task-talk_events.tsv")
    table = pandas.read_csv(path, sep="\t", na_values="n/a", keep_default_na=False)
    assert [*table.columns][:2] == ["onset", "duration"]  # required, and in this order
    assert table.onset.dtype == float and table.onset.is_monotonic_increasing
    assert (table.duration >= 0).all()
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf") and b"\r" not in raw and b"\t\t" not in raw
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert {*table.columns} <= {*sidecar} and {*table.trial_type} <= {
        *sidecar["trial_type"]["Levels"]
    }


def test_the_bids_validator_finds_no_error_in_a_dataset_of_it(folder: Path) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("no bids-validator-deno")
    dataset = folder / "dataset"
    (dataset / "sub-01" / "beh").mkdir(parents=True)
    about = {"Name": "talk", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (dataset / "dataset_description.json").write_text(json.dumps(about))
    (dataset / "README").write_text("One participant, seen by Emotion Edge.\n")
    events = export(folder, "tsv-bids", "dataset/sub-01/beh/sub-01_task-talk_events.tsv")

    def errors() -> list[str]:
        command = [validator, dataset, "--json"]
        output = subprocess.run(command, capture_output=True, text=True).stdout
        issues = json.loads(output)["issues"]["issues"]
        return [issue["code"] for issue in issues if issue["severity"] == "error"]

    assert errors() == []
    events.write_text(events.read_text().replace("onset", "begin", 1))
    assert errors() != []


PAGE = """<!doctype html><title>waiting</title><video><track default src="a.vtt"></video><script>
const track = document.querySelector("track");
track.addEventListener("load", () => {
  const cues = [...track.track.cues];
  const shown = cue => cue.getCueAsHTML().textContent;
  document.title = JSON.stringify(cues.map(c => [c.startTime, c.endTime, c.text, shown(c)]));
});
track.addEventListener("error", () => { document.title = "error"; });
track.track.mode = "showing";
</script>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
def test_chromiums_track_shows_webvtt(folder: Path) -> None:
    export(folder, "webvtt", "a.vtt")
    (folder / "page.html").write_text(PAGE)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/page.html"
        flags = ["--headless", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
        flags += [f"--user-data-dir={folder}/chromium"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        command = ["chromium", *flags, url]
        page = subprocess.run(command, capture_output=True, text=True, timeout=100).stdout
        server.shutdown()
    title = page.split("<title>")[1].split("</title>")[0].replace("&lt;", "<").replace("&gt;", ">")
    cues = json.loads(title.replace("&amp;", "&"))
    assert math.isclose(sum(end - begin for begin, end, text, _ in cues if "mark" not in text
                            and "voice" not in text), SECONDS)  # fmt: skip
    (mark,) = [shown for *_, shown in cues if shown.startswith("mark")]
    assert mark == 'mark: =cmd() "film" <b>, 🙂'
