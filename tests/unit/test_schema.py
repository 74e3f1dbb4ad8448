import json

import jsonschema
import pytest

from edge import messages
from edge.messages import TOPICS
from edge.schema import SHIPPED, asyncapi, schema, text
from tests.helpers import ROOT
from tests.unit.test_messages import example


def test_the_shipped_file_is_what_the_structs_say() -> None:
    assert SHIPPED.read_bytes() == text(schema()), "python -m edge.schema > (that file)"


def test_the_asyncapi_document_is_what_the_structs_say() -> None:
    shipped = ROOT / "docs" / "asyncapi.json"
    assert shipped.read_bytes() == text(asyncapi()), "python -m edge.schema asyncapi > (that file)"


def test_the_asyncapi_document_has_a_channel_for_each_topic_that_leaves_the_device() -> None:
    document = asyncapi()
    assert "press" not in document["channels"]
    assert set(document["channels"]) == {name for name, topic in TOPICS.items() if not topic.local}
    for channel in document["channels"].values():
        for kind in channel["messages"]:
            assert document["components"]["messages"][kind]["payload"]["$ref"].endswith(kind)
            assert kind in document["components"]["schemas"]


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("topic", TOPICS)
def test_every_message_of_the_contract_fits_its_topics_schema(topic: str) -> None:
    sent = json.loads(messages.encode(example(topic)))
    validator = jsonschema.Draft202012Validator({**schema(), **schema()["topics"][topic]})
    validator.validate(sent)
    del sent["t_ns"]
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(sent)
