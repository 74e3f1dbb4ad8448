"""The contract as JSON Schema, made from the structs: `python -m edge.bus.schema` prints it.

Its `topics` names the schema of each topic's messages.
"""

from pathlib import Path
from typing import Any

import msgspec

from edge.bus.messages import TOPICS

SHIPPED = Path(__file__).with_name("messages.schema.json")


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12: any message, and which one comes on which topic."""
    kinds = {topic.message: None for topic in TOPICS.values()}
    refs, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    ref_of = dict(zip(kinds, refs, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Emotion Edge, messages on the bus",
        "anyOf": list(refs),
        "topics": {name: ref_of[topic.message] for name, topic in TOPICS.items()},
        "$defs": definitions,
    }


def text(document: dict[str, Any]) -> bytes:
    """As the shipped file has it."""
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


if __name__ == "__main__":
    print(text(schema()).decode(), end="")
