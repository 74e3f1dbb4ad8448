"""What people read, in the language of the settings: one small file a language in assets/lang.

A file holds every text once, by a key such as "heading.voice"; {} in it are values. A new language
is a new file, and nothing else. JSON, because a subscriber's host has no TOML on Python 3.10.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "assets" / "lang"
DEFAULT = "en"
DETAIL = "detail."
"""Such keys hold what a service reports, in English; {name} in them is whatever stands there."""


class Language:
    """The texts of one language."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._details = [
            (_pattern(key.removeprefix(DETAIL)), text)
            for key, text in texts.items()
            if key.startswith(DETAIL)
        ]

    def __call__(self, key: str, **values: object) -> str:
        """The text of this key. Raises KeyError for a key, or a value, that there is not."""
        return self._texts[key].format(**values)

    def texts(self, *prefixes: str) -> dict[str, str]:
        """{key: text} of all keys that begin so."""
        return {key: text for key, text in self._texts.items() if key.startswith(prefixes)}

    def emotion(self, label: str) -> str:
        """What an emotion is called; a label that this version does not know is its own name."""
        return self._texts.get(f"emotion.{label}", label)

    def service(self, name: str) -> str:
        """What a process is called."""
        return self._texts.get(f"service.{name}", name)

    def initials(self, label: str) -> str:
        """Two letters that stand for an emotion where there is no room for its name."""
        return self._texts.get(f"initials.{label}", label[:2])

    def detail(self, text: str) -> str:
        """What a service reports; where this language has no words for it, as it is."""
        for pattern, translation in self._details:
            if found := pattern.fullmatch(text):
                return translation.format(**found.groupdict())
        return text

    def percent(self, fraction: float) -> str:
        """0.97 as "97%"."""
        return self("number.percent", value=round(100 * fraction))

    def decimal(self, value: float, digits: int = 1) -> str:
        """A number with so many digits after its decimal mark."""
        return f"{value:.{digits}f}".replace(".", self("number.decimal"))


def _pattern(text: str) -> re.Pattern[str]:
    """ "no frame for {seconds} s" as a regular expression with a group for each value."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*)", re.escape(text)))


def languages() -> list[str]:
    """The languages that there are, such as "en"."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


@lru_cache(maxsize=4)
def load_language(name: str = DEFAULT) -> Language:
    """`name`: one of `languages()`. Raises OSError for any other."""
    text = (FOLDER / f"{name}.json").read_bytes()
    return Language(msgspec.json.decode(text, type=dict[str, str]))
