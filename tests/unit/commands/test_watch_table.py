import msgspec
import pytest

from edge.bus.discovery import Found
from edge.commands.watch import check_topics, format_list
from edge.commands.watch_table import DIM, Row, render_table
from edge.errors import UsageError
from tests.support.messages import example


def row(topic: str, device: str = "kitchen", age_s: float = 0.1) -> Row:
    return Row(topic, msgspec.structs.replace(example(topic), device=device), age_s)


def lines(*rows: Row, size: tuple[int, int] = (80, 24)) -> list[str]:
    return render_table(rows, "live", size).splitlines()


def test_every_device_has_a_title_and_its_topics_in_order() -> None:
    shown = lines(row("emotion", "kitchen"), row("face", "cellar"), row("face", "kitchen"))
    words = ["cellar", "face", "kitchen", "face", "emotion", "live"]
    assert len(shown) == len(words) + 1
    assert all(word in line for word, line in zip(words, shown, strict=False))


def test_what_is_older_than_it_may_be_is_dim() -> None:
    _, fresh, *_ = lines(row("face", age_s=0.2))
    _, old, *_ = lines(row("face", age_s=0.9))
    assert DIM not in fresh
    assert DIM in old


def test_it_fits_the_terminal() -> None:
    shown = lines(*[row(f"health.{n}") for n in ("hub", "camera", "face", "audio")], size=(40, 4))
    assert len(shown) <= 4
    assert all(len(line) < 40 + 20 for line in shown), "20 for the colours"


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
