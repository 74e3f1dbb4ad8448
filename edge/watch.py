"""`emotion-edge watch`: what a device publishes, for eyes or, with --json, for programs."""

import sys
from collections.abc import Sequence

import msgspec

from edge.client import subscribe
from edge.messages import Message
from edge.words import age_in_words, in_words

PATIENCE_S = 10.0
"""Without any message for this long, say so (health comes every second)."""


def watch(endpoint: str, topics: Sequence[str], count: int | None, as_json: bool) -> int:
    """Print messages until `count` of them or Ctrl-C. Returns the exit code."""
    left = count
    while left is None or left > 0:
        try:
            for topic, message in subscribe(endpoint, topics, PATIENCE_S):
                print(json_line(topic, message) if as_json else word_line(topic, message))
                sys.stdout.flush()
                left = None if left is None else left - 1
                if left == 0:
                    return 0
        except TimeoutError as error:
            print(f"{error}; is the device on, and is that its address?", file=sys.stderr)
    return 0


def json_line(topic: str, message: Message) -> str:
    """The message as it was sent, with its topic."""
    return msgspec.json.encode({"topic": topic, **msgspec.to_builtins(message)}).decode()


def word_line(topic: str, message: Message) -> str:
    return f"{message.device}  {topic:<16} {in_words(message)}  ({age_in_words(message)})"
