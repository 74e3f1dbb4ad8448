"""Training goes on where it stopped, and nobody teaches who may know the held-out."""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training import train
from training.voice import bank as voice_bank
from training.voice import data as voice_data
from training.voice.task import taken

FRAMES, VALUES, VARIANTS = 199, 2 * voice_bank.SETTINGS.coefficients, 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two clips of each of 24 actors, and a bank of noise for them."""
    folder, random = tmp_path / "voices", np.random.default_rng(0)
    folder.mkdir()
    actors = [actor for actor in voice_data.ACTORS for _ in range(2)]
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ("name", "actor", "emotion"))
        writer.writeheader()
        for number, actor in enumerate(actors):
            emotion = voice_data.LABELS[number % 8]
            writer.writerow({"name": number, "actor": f"Actor_{actor:02}", "emotion": emotion})
    clean = random.standard_normal((len(actors), 2, FRAMES, VALUES)).astype(np.float16)
    begins = np.arange(len(actors) * VARIANTS + 1) * 210
    energies = random.standard_normal((begins[-1], voice_bank.SETTINGS.filters)) - 8
    np.savez(folder / "bank.npz", clean=clean, energies=energies.astype(np.float16), begins=begins)
    return folder


def options(data: Path, run: Path, **changes: object) -> argparse.Namespace:
    plain = {
        "task": "voice", "run": run, "data": data, "bank": data / "bank.npz", "fold": None,
        "architecture": "time", "width": 4, "batch": 8, "epochs": 2, "rate": 1e-3, "ema": 0.9,
        "seed": 1, "bf16": False, "start": None, "teacher": [],
    }  # fmt: skip
    return argparse.Namespace(**{**plain, **changes})


def trainer(wanted: argparse.Namespace) -> train.Trainer:
    return train.Trainer(train.build_task(wanted), wanted)


def a_run(wanted: argparse.Namespace) -> Path:
    """The folder of a run that has learnt nothing yet."""
    wanted.run.mkdir()
    (wanted.run / "options.json").write_text(json.dumps(vars(wanted), default=str))
    trainer(wanted).save(wanted.run / "last.pt")
    return wanted.run


def test_a_run_that_was_stopped_ends_as_one_that_was_not(data: Path, tmp_path: Path) -> None:
    wanted = options(data, tmp_path / "run")
    whole = trainer(wanted)
    for _ in range(2):
        whole.run_epoch()
    first = trainer(wanted)
    first.run_epoch()
    first.save(tmp_path / "last.pt")
    second = trainer(wanted)
    second.resume(tmp_path / "last.pt")
    second.run_epoch()
    ours, theirs = whole.average.state_dict(), second.average.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_teacher_may_be_another_network_and_its_own_data_are_not_read(
    data: Path, tmp_path: Path
) -> None:
    wide = a_run(options(data, tmp_path / "wide", width=8))
    (data / "bank.npz").unlink()
    inputs = torch.zeros(1, VALUES, 1, FRAMES)
    assert train.teacher(wide, options(data, tmp_path / "run"))(inputs).shape == (1, 8)


@pytest.mark.parametrize("change", [{"fold": 2}, {"data": Path("elsewhere")}])
def test_a_teacher_who_may_know_the_held_out_is_refused(
    data: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    teacher = a_run(options(data, tmp_path / "teacher"))
    taught = argparse.Namespace(**{**vars(options(data, tmp_path / "run")), **change})
    with pytest.raises(SystemExit, match="may know who is held out"):
        train.teacher(teacher, taught)


@pytest.mark.parametrize("change", [["--fold", "2"], ["--width", "8"]])
def test_a_run_does_not_go_on_as_another(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: list[str]
) -> None:
    run = a_run(options(data, tmp_path / "run"))
    before = (run / "options.json").read_text()
    command = ["train", "voice", "--run", str(run), "--data", str(data)]
    command += ["--bank", str(data / "bank.npz"), "--width", "4", "--epochs", "1", *change]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises((SystemExit, RuntimeError), match=r"another --fold|size mismatch"):
        train.main()
    assert (run / "options.json").read_text() == before


def test_what_is_trained_on_is_never_what_is_held_out(data: Path, tmp_path: Path) -> None:
    task = train.build_task(options(data, tmp_path / "run", fold=3))
    actors = voice_data.read_index(data).actors
    assert not set(actors[task.training]) & set(actors[task.held_out])
    assert set(actors[task.held_out]) == set(voice_data.split(3)[1])


def test_a_window_is_taken_near_the_loudest_part_and_silence_follows_a_short_sound() -> None:
    energies = np.full((900, 40), -20, np.float16)
    energies[400:600] = 0
    cut = taken(energies, FRAMES, np.random.default_rng(0))
    assert len(cut) == FRAMES and (cut[:, 0] == 0).mean() > 0.6
    short = taken(energies[:50], FRAMES, np.random.default_rng(0))
    assert len(short) == FRAMES and (short[50:] < -40).all()
