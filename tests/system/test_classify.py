"""`classify` on films and folders, as CSV, and the pictures it writes; as a process."""

import contextlib
import csv
import io
import os
import pty
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import soundfile

from edge.commands import csv_table
from tests.support.film import write_film
from tests.support.harness import ROOT, emotion_edge
from tests.support.peak import run_python

PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"


def output(*arguments: str | Path, **options: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)"""
    with emotion_edge("classify", *arguments, **options) as process:
        out, errors = process.communicate(timeout=300)
    return process.returncode, out, errors


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A portrait, a film in a folder of its own, a sound, and what is none of them."""
    inner = tmp_path / "of people" / "inner"
    inner.mkdir(parents=True)
    shutil.copy(PORTRAIT, inner.parent / "one.JPG")
    write_film(inner / "film.mp4", seen=5)
    soundfile.write(inner.parent / "sound.wav", np.zeros(32_000, np.float32), 16_000)
    (inner / "notes.txt").write_text("nothing to classify")
    (inner.parent / ".hidden.jpg").write_text("nothing to classify")
    return inner.parent


def test_a_film_gives_a_row_a_frame_and_its_sum(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", seen=12, empty=10)
    code, out, errors = output(film, "--json")
    *frames, whole = map(msgspec.json.decode, out.splitlines())
    assert (code, errors) == (0, "")
    assert [frame["frame"] for frame in frames] == list(range(22))
    assert [frame["time_s"] for frame in frames] == pytest.approx([n / 10 for n in range(22)])
    assert all(len(frame["faces"]) == 1 for frame in frames[:12])
    assert frames[-1]["faces"] == []
    assert (whole["kind"], whole["frames"], whole["faces"]) == ("film", 22, 1)
    assert sum(whole["emotions"].values()) == pytest.approx(1)


def test_a_film_gives_the_same_each_time(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", seen=25)
    assert output(film, "--csv")[1] == output(film, "--csv")[1]


def test_a_film_that_breaks_off_is_reported_after_what_could_be_read(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.avi", seen=12)
    film.write_bytes(film.read_bytes()[:600])
    code, out, errors = output(film, PORTRAIT)
    assert (code, errors.count("\n")) == (2, 1)
    assert str(film) in errors
    assert f"{PORTRAIT}: 1 face" in out


def test_a_long_film_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    def peak_mb(frames: int) -> float:
        film = write_film(tmp_path / f"{frames}.mp4", seen=frames)
        code, peak = run_python("-m", "edge", "classify", film, "--csv", stderr=None)
        assert code == 0
        return peak

    assert peak_mb(240) - peak_mb(40) < 16, "200 frames are 46 MB"


def test_a_folder_gives_all_it_holds_and_a_summary(folder: Path) -> None:
    code, out, errors = output(folder)
    assert (code, errors) == (0, "")
    assert f"{folder}/one.JPG: 1 face\n" in out
    assert f"{folder}/inner/film.mp4: 5 frames" in out
    assert f"{folder}/sound.wav: nobody speaks" in out
    assert "in all: 1 image, 1 film, 1 sound, 5 frames\nfaces 6: " in out
    assert out.endswith("voices 1: nobody speaks 100%\n")


def test_a_folder_without_anything_to_classify_is_an_error(tmp_path: Path) -> None:
    code, out, errors = output(tmp_path)
    assert (code, out) == (2, "")
    assert errors.endswith(f"{tmp_path}: no image, film or sound file in it\n")


def test_csv_has_one_header_and_the_same_columns_for_all_kinds(
    folder: Path, tmp_path: Path
) -> None:
    with (tmp_path / "out.csv").open("wb") as file:
        code, _, errors = output(folder, "--csv", stdout=file)
    out = (tmp_path / "out.csv").read_bytes()
    rows = table(out.decode())
    assert (code, errors) == (0, "")
    assert out.split(b"\r\n")[0].decode() == ",".join(csv_table.CLASSIFY)
    assert out.count(b"\r\n") == out.count(b"\n") == len(rows) + 1
    assert [row["kind"] for row in rows] == ["image", "sound", "window", *["frame"] * 5]
    face = rows[0]
    assert float(face["confidence"]) == max(float(face[s] or 0) for s in csv_table.EMOTION_LABELS)
    assert [row["speech"] for row in rows[1:3]] == ["false", "false"]


def test_an_image_without_a_face_has_a_row_without_one(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((100, 100, 3), 128, np.uint8))
    (row,) = table(output(path, "--csv")[1])
    assert (row["file"], row["face"], row["emotion"]) == (str(path), "", "")


def test_a_name_with_a_comma_a_quote_and_a_new_line_is_one_field(tmp_path: Path) -> None:
    path = tmp_path / 'a, "b"\nc.jpg'
    shutil.copy(PORTRAIT, path)
    (row,) = table(output(path, "--csv")[1])
    assert row["file"] == str(path)


def test_annotated_pictures_show_boxes_and_keep_the_rest(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "new" / "annotated"
    code, out, errors = output(folder, "--annotated", made)
    assert (code, errors) == (0, "")
    assert sorted(path.name for path in made.iterdir()) == ["film.mp4", "one.jpg"]
    assert f"-> {made}/one.jpg" in out
    before, after = cv2.imread(str(PORTRAIT)), cv2.imread(str(made / "one.jpg"))
    changed = np.abs(before.astype(int) - after).max(axis=2) > 60
    assert before.shape == after.shape
    assert 0.01 < changed.mean() < 0.6
    film = cv2.VideoCapture(str(made / "film.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_an_annotated_picture_is_never_written_over_another(tmp_path: Path) -> None:
    made = tmp_path / "annotated"
    made.mkdir()
    (made / "astronaut.jpg").write_text("mine")
    for _ in range(2):
        assert output(PORTRAIT, PORTRAIT, "--annotated", made)[0] == 0
    names = ["astronaut-2.jpg", "astronaut-3.jpg", "astronaut-4.jpg", "astronaut-5.jpg"]
    assert sorted(path.name for path in made.iterdir()) == [*names, "astronaut.jpg"]
    assert (made / "astronaut.jpg").read_text() == "mine"


def test_annotated_pictures_inside_the_folder_are_not_classified_again(folder: Path) -> None:
    first = output(folder, "--annotated", folder / "annotated", "--csv")[1]
    assert output(folder, "--annotated", folder / "annotated", "--csv")[1] == first


def test_a_folder_that_cannot_be_made_is_an_error_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, errors = output(PORTRAIT, "--annotated", tmp_path / "file")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "--annotated" in errors


@pytest.mark.parametrize("name", ["astronaut.jpg", "film.mp4"])
def test_a_full_disk_ends_it_with_one_line(tmp_path: Path, name: str) -> None:
    made, film = tmp_path / "annotated", tmp_path / "film.mp4"
    source = write_film(film, seen=5) if name == film.name else PORTRAIT
    limit = (1000, 1000)

    def no_large_files() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    code, _, errors = output(source, "--annotated", made, preexec_fn=no_large_files)
    assert (code, errors.count("\n")) == (1, 1)
    assert f"cannot write {made}/{name}" in errors


def read_all(keyboard: int) -> bytes:
    """Until nobody has the terminal open any more."""
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(keyboard, 4096):
            shown += part
    return shown


@pytest.mark.timeout(400)
def test_long_work_has_a_progress_bar_in_a_terminal(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", seen=400)
    keyboard, terminal = pty.openpty()
    with emotion_edge("classify", film, "--csv", stderr=terminal) as process:
        os.close(terminal)
        with ThreadPoolExecutor(1) as pool:  # a terminal that is not read fills up
            reading = pool.submit(read_all, keyboard)
            rows = table(process.communicate(timeout=300)[0])
            shown = reading.result().decode()
    os.close(keyboard)
    assert len(rows) == 400
    assert "[#" in shown
    assert str(film)[:20] in shown
    assert shown.endswith("\r\x1b[K"), "nothing of it stays"
