import re

import msgspec
import pytest

from edge.bus.discovery import Found
from edge.bus.messages import TOPICS
from edge.commands.watch import check_topics, format_list
from edge.commands.watch_table import COLOURS, DIM, PLAIN, Row, Style, bar, render_table
from edge.errors import UsageError
from tests.support.messages import example

WIDE = Style(80, 24)


def row(topic: str, device: str = "kitchen", age_s: float = 0.1) -> Row:
    return Row(topic, msgspec.structs.replace(example(topic), device=device), age_s)


def lines(*rows: Row, style: Style = WIDE) -> list[str]:
    return render_table(rows, "live", style).splitlines()[:-1]


def text(lines: list[str]) -> list[str]:
    """As they can be read: without escape sequences."""
    return [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line) for line in lines]


def everything(device: str = "kitchen") -> list[Row]:
    return [row(topic, device) for topic in TOPICS]


def test_every_device_has_a_title_and_its_topics_in_order() -> None:
    shown = lines(row("emotion", "kitchen"), row("face", "cellar"), row("face", "kitchen"))
    words = ["cellar", "face", "kitchen", "face", "emotion", "live"]
    assert all(word in line for word, line in zip(words, shown, strict=True))


def test_what_is_older_than_it_may_be_is_dim() -> None:
    _, fresh, *_ = lines(row("face", age_s=0.2))
    _, old, *_ = lines(row("face", age_s=0.9))
    assert DIM not in fresh
    assert DIM in old


@pytest.mark.parametrize("size", [(80, 8), (40, 12), (40, 8), (80, 6), (20, 5), (200, 60)])
@pytest.mark.parametrize("devices", [1, 2])
def test_faces_voice_and_emotion_stay_in_a_small_terminal(
    size: tuple[int, int], devices: int
) -> None:
    rows = [row for name in ("a", "b")[:devices] for row in everything(name)]
    shown = text(lines(*rows, style=Style(*size)))
    topics = [line.split()[0] for line in shown]
    assert len(shown) < size[1]
    assert max(map(len, shown)) < size[0]
    if size[1] >= (6 if devices == 1 else 2 + 4 * devices):
        assert [topics.count(name) for name in ("face", "audio", "emotion")] == [devices] * 3
    assert shown[-1] == "live"


def test_where_there_is_little_room_health_is_one_line_of_what_is_wrong() -> None:
    audio = row("health.audio")
    sick = msgspec.structs.replace(audio.message, state="degraded", detail="no microphone")
    rows = [row("face"), row("health.hub"), row("health.face", age_s=9), row("emotion")]
    (health,) = [
        line
        for line in text(lines(*rows, audio._replace(message=sick), style=Style(80, 6)))
        if "health" in line
    ]
    assert "face silent; audio degraded: no microphone" in health
    assert "2 services ok" in lines(row("health.hub"), row("health.face"), style=Style(80, 4))[1]


def test_an_emotion_has_its_colour_and_a_bar() -> None:
    _, line, _ = lines(row("emotion"))
    assert "calm" in COLOURS
    assert f"{COLOURS['calm']}█████····· " in line
    assert f"{COLOURS['calm']}calm{PLAIN}" in line
    assert "calm 0.50" in text([line])[0]


@pytest.mark.parametrize(
    ("topic", "changes", "shown"),
    [
        ("emotion", {"face_age_s": None}, "neither a face nor a voice"),
        ("audio", {"speech": False, "emotion": None}, "nobody spoke (-20 dBFS)"),
        ("face", {"faces": []}, "no face"),
    ],
)
def test_where_there_is_no_emotion_there_is_no_bar(
    topic: str, changes: dict[str, object], shown: str
) -> None:
    nothing = Row(topic, msgspec.structs.replace(example(topic), **changes), 0.1)
    _, line, _ = text(lines(nothing))
    assert line.split(maxsplit=1)[1].startswith(f"{shown}  ")


def test_every_face_has_its_own() -> None:
    faces = [
        msgspec.structs.replace(example("face").faces[0], id=id_, emotion=emotion)
        for id_, emotion in ((1, "happy"), (2, "sad"))
    ]
    two = Row("face", msgspec.structs.replace(example("face"), faces=faces), 0.1)
    _, line, _ = text(lines(two))
    assert "#1 █████████· happy 0.90, #2 █████████· sad 0.90" in line


def test_without_colours_the_text_is_the_same() -> None:
    with_them, without = (lines(*everything(), style=Style(colours=c)) for c in (True, False))
    assert text(with_them) == text(without)
    assert not any(colour in line for colour in COLOURS.values() for line in without)


def test_a_terminal_without_blocks_gets_ascii() -> None:
    assert all(line.isascii() for line in lines(*everything(), style=Style(blocks=False)))


@pytest.mark.parametrize(
    ("score", "shown"), [(0.0, "····"), (0.5, "██··"), (0.53, "██▏·"), (0.999, "████")]
)
def test_a_bar_is_as_long_as_the_score(score: float, shown: str) -> None:
    assert bar(score, 4, blocks=True) == shown


def test_a_device_is_listed_with_the_command_that_watches_it() -> None:
    found = [Found("kitchen", "tcp://10.0.0.7:5556", "0.1.0", True)]
    assert format_list(found) == [
        "kitchen  (0.1.0)",
        "    emotion-edge watch tcp://10.0.0.7:5556 --key FILE",
    ]


@pytest.mark.parametrize("topic", ["", "h", "health.", "emotion"])
def test_what_a_topic_begins_with_is_accepted(topic: str) -> None:
    check_topics([topic])


def test_a_topic_that_there_is_not_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError, match=r"did you mean emotion\?.*recording"):
        check_topics(["emotoin"])
