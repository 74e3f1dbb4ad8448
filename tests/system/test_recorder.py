"""`emotion-edge run` with a recorder in its settings: what its demo shows is kept, and exported."""

import csv
import io
from pathlib import Path

import msgspec

from edge.config import Config, RecorderConfig
from tests.support.harness import emotion_edge, wait_for
from tests.support.product import START_S, product, until_all_speak


def kept_in(config: Config, folder: Path) -> Config:
    settings = RecorderConfig(keep_days=3, directory=str(folder))
    return msgspec.structs.replace(config, recorder=settings)


def run(config: Config, *arguments: str) -> str:
    file = str(config.directory / "config.json")
    with emotion_edge(*arguments, "--config", file) as process:
        output, errors = process.communicate(timeout=START_S)
    assert process.returncode == 0, errors
    return output


def test_what_the_demo_shows_is_kept_exported_and_erased(config: Config, tmp_path: Path) -> None:
    config = kept_in(config, tmp_path / "kept")
    with product(config, "--microphone", "none") as running:
        until_all_speak(running)
        running.listener.until(lambda t, m: t == "health.recorder" and m.recording_data, START_S)  # type: ignore
        assert "keeps 3 days" in run(config, "doctor")
        name = run(config, "session", "start", "--note", "demo").split()[1]
        running.listener.until(lambda t, m: t == "face" and bool(m.faces), START_S)  # type: ignore

        def faces() -> list[dict[str, str]]:
            rows = csv.DictReader(io.StringIO(run(config, "export", name)))
            return [row for row in rows if row["kind"] == "face"]

        wait_for(lambda: bool(faces()), "a face in the export", START_S)
        run(config, "session", "stop")
        before = faces()
        code, errors = running.end()
    assert code == 0, errors
    assert f"recording results in {tmp_path}/kept for 3 days; no picture and no sound" in errors
    assert [path.name[-3:] for path in (tmp_path / "kept").iterdir()] == [".db"]  # one plain file
    assert faces() == before  # now from the file, by the one whose it is
    assert "Session" in run(config, "summary", name)
    run(config, "session", "delete", name)
    assert run(config, "session", "list") == ""
