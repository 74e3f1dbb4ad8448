"""The contract from the structs, for other tools: `python -m edge.schema [asyncapi]` prints it.

JSON Schema, whose `topics` names the schema of each topic's messages; or the same as AsyncAPI,
with the channels of the door.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.messages import TOPICS

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


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: what a subscriber at the door can receive."""
    kinds = {topic.message: None for topic in TOPICS.values() if not topic.local}
    _, definitions = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    public = {name: topic for name, topic in TOPICS.items() if not topic.local}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Emotion Edge",
            "version": "1",
            "description": "ZeroMQ PUB/SUB; two parts a message: the topic, and this JSON. "
            "docs/contract.md says what the fields mean, docs/security.md how the door is locked.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "device": {
                "host": "{device}.local:5556",
                "protocol": "zmtp",
                "protocolVersion": "3.1",
                "description": "The door: ZeroMQ over TCP; CURVE where it is open to a network.",
                "variables": {"device": {"description": "the device's name on the network"}},
            }
        },
        "channels": {
            name: {
                "address": name,
                "messages": {
                    topic.message.__name__: {
                        "$ref": f"#/components/messages/{topic.message.__name__}"
                    }
                },
            }
            for name, topic in public.items()
        },
        "operations": {
            f"send {name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
            for name in public
        },
        "components": {
            "messages": {
                kind.__name__: {"payload": {"$ref": f"#/components/schemas/{kind.__name__}"}}
                for kind in kinds
            },
            "schemas": definitions,
        },
    }


def text(document: dict[str, Any]) -> bytes:
    """As the files have it."""
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


if __name__ == "__main__":
    print(text(asyncapi() if sys.argv[1:] == ["asyncapi"] else schema()).decode(), end="")
