import msgspec
import pytest

from edge.bus.messages import EMOTION_LABELS, TOPICS, FaceMessage
from edge.commands.csv_table import CLASSIFY, WATCH, message_rows
from edge.commands.media import SUFFIXES
from tests.support.harness import ROOT
from tests.support.messages import example


def rows(topic: str, **changes: object) -> list[dict[str, object]]:
    message = msgspec.structs.replace(example(topic), **changes)
    return [dict(row) for row in message_rows(topic, message)]


@pytest.mark.parametrize("columns", [CLASSIFY, WATCH])
def test_the_columns_are_those_of_the_documentation(columns: tuple[str, ...]) -> None:
    assert f"```csv\n{','.join(columns)}\n```" in (ROOT / "docs" / "files.md").read_text()


def test_the_kinds_of_files_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs" / "files.md").read_text()
    for kind, names in SUFFIXES.items():
        assert f"| {kind} | {names}" in page


@pytest.mark.parametrize("columns", [CLASSIFY, WATCH])
def test_no_column_comes_twice_and_every_score_has_one(columns: tuple[str, ...]) -> None:
    assert len(set(columns)) == len(columns)
    assert set(EMOTION_LABELS) <= set(columns)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_message_has_a_row_that_tells_when_and_what(topic: str) -> None:
    for row in rows(topic):
        assert row["topic"] == topic
        assert {"time", "device", "seq", "age_ms"} <= set(row)


def test_every_face_has_a_row_and_nobody_has_one_too() -> None:
    message = example("face")
    assert isinstance(message, FaceMessage)
    two = rows("face", faces=[message.faces[0]] * 2)
    (none,) = rows("face", faces=[])
    assert [row["face"] for row in two] == [message.faces[0].id] * 2
    assert two[0]["x"] == message.faces[0].box[0]
    assert "face" not in none


def test_the_voices_scores_are_in_the_columns_that_emotion_has() -> None:
    (row,) = rows("audio", scores={"fearful": 0.25, "surprised": 0.5})
    assert (row["fear"], row["surprise"]) == (0.25, 0.5)
