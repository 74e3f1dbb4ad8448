"""The texts that people read: every language has all of them, with the same values."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from edge.bus.messages import FACE_LABELS, SERVICES, UNCERTAIN, VOICE_LABELS
from edge.language import DETAIL, FOLDER, languages, load_language


def texts_of(name):
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=dict[str, str])


def values_of(text):
    return sorted(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("name", languages())
def test_every_language_has_every_text_with_the_same_values(name):
    english, texts = texts_of("en"), texts_of(name)
    texts = {key: text for key, text in texts.items() if not key.startswith(DETAIL)}
    assert texts.keys() == english.keys()
    assert {key: values_of(text) for key, text in texts.items()} == {
        key: values_of(text) for key, text in english.items()
    }


def reports():
    """Every text in the product's source; {} where a value stands."""
    for path in Path(FOLDER).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("name", languages())
def test_what_services_report_is_translated_as_they_report_it(name):
    """A text that was changed in the source loses its translation: this finds it."""
    keys = [key.removeprefix(DETAIL) for key in texts_of(name) if key.startswith(DETAIL)]
    assert {re.sub(r"{\w+}", "{}", key) for key in keys} <= set(reports())


def test_a_report_keeps_its_values_and_an_unknown_one_its_words():
    german = load_language("de")
    assert german.detail("no frame for 1.5 s") == "seit 1.5 s kein Bild"
    assert german.detail("something else (1)") == "something else (1)"


def test_english_and_german_are_shipped():
    assert {"en", "de"} <= set(languages())


@pytest.mark.parametrize("name", languages())
def test_every_emotion_has_a_name_and_initials_of_its_own(name):
    language = load_language(name)
    labels = (*FACE_LABELS, "calm")
    assert all(f"emotion.{label}" in texts_of(name) for label in (*VOICE_LABELS, UNCERTAIN))
    assert len({language.initials(label) for label in labels}) == len(labels)
    assert all(language("service." + service) for service in SERVICES)


def test_a_label_that_has_no_translation_keeps_its_name():
    assert load_language("de").emotion("wonder") == "wonder"
    assert load_language("de").emotion("happy") == "Freude"


def test_numbers_are_written_as_the_language_writes_them():
    assert (load_language("en").percent(0.966), load_language("de").percent(0.966)) == (
        "97%",
        "97 %",
    )
    assert load_language("de").decimal(1.25, 2) == "1,25"
