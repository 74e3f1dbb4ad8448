"""What a terminal shows of each message."""

from typing import Any

import msgspec
import pytest

from edge.bus.messages import TOPICS, FaceResult
from edge.commands.text import counted, format_message, size
from edge.language import languages, load_language
from tests.support.messages import example

ANGRY = FaceResult(
    id=2, box=(0.0, 0.0, 9.0, 9.0), emotion="angry", confidence=0.5, scores={}, held=True
)


@pytest.mark.parametrize(
    ("topic", "changes", "line"),
    [
        ("face", {}, "#1 happy 0.90"),
        ("face", {"faces": [*example("face").faces, ANGRY]}, "#1 happy 0.90, #2 angry 0.50 (held)"),
        ("face", {"faces": []}, "no face"),
        ("recording", {}, "recording 0.5 s, -20 dBFS"),
        ("recording", {"level_dbfs": None}, "recording 0.5 s"),
        ("recording", {"phase": "waiting"}, "speak now 0.5 s, -20 dBFS"),
        ("recording", {"phase": "analysing"}, "analysing"),
        ("audio", {}, "calm 0.50"),
        (
            "audio",
            {"emotion": None, "speech": False},
            "nobody spoke (-20 dBFS)",
        ),
        ("emotion", {}, "calm 0.50 (face 0.1 s ago)"),
        ("emotion", {"voice_age_s": 2.0}, "calm 0.50 (face 0.1 s ago, voice 2.0 s ago)"),
        ("emotion", {"face_age_s": None}, "neither a face nor a voice"),
        ("change", {}, "happy, after 2.5 s of nobody"),
        ("health.hub", {}, "ok, 30.0/s, 20 MB"),
        ("health.hub", {"detail": "slow", "soc_c": 61.4}, "ok, 30.0/s, 20 MB, 61 °C: slow"),
        ("preview", {}, "frame 7, 0 kB"),
        ("press", {}, "button pressed"),
    ],
)
def test_a_message_is_one_line(topic: str, changes: dict[str, Any], line: str) -> None:
    assert format_message(msgspec.structs.replace(example(topic), **changes)) == line


@pytest.mark.parametrize("topic", TOPICS)
def test_every_message_has_a_line_of_its_own(topic: str) -> None:
    line = format_message(example(topic))
    assert line.isprintable()
    assert [one for one in TOPICS if format_message(example(one)) == line] == [
        one for one in TOPICS if type(example(one)) is type(example(topic))
    ]


def test_control_characters_from_the_network_are_shown_as_replacements() -> None:
    forged = msgspec.structs.replace(example("emotion"), emotion="\x1b]0;PWNED\x07happy\nFAKE")
    assert format_message(forged).startswith("\ufffd]0;PWNED\ufffdhappy\ufffdFAKE 0.50")


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("name", languages())
def test_every_message_has_a_line_in_every_language(name: str, topic: str) -> None:
    assert format_message(example(topic), load_language(name))


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        ("face", "#1 Freude 0,90"),
        ("emotion", "Ruhe 0,50 (Gesicht vor 0,1 s)"),
        ("health.face", "in Ordnung, 30,0/s, 20 MB"),
        ("press", "Knopf gedrückt"),
    ],
)
def test_a_line_in_german(topic: str, line: str) -> None:
    assert format_message(example(topic), load_language("de")) == line


def test_one_is_singular_and_what_is_small_is_not_nothing() -> None:
    assert [counted(n, "day") for n in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
    texts = ["0 kB", "1 kB", "100 kB", "0.1 MB", "25.0 MB"]
    assert [size(n) for n in (0, 1, 99_999, 100_000, 25_000_000)] == texts
