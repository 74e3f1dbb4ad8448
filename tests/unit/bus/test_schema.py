import json

import jsonschema
import pytest

from edge.bus import messages
from edge.bus.messages import TOPICS
from edge.bus.schema import SHIPPED, schema, text
from tests.support.messages import example


def test_the_shipped_file_is_what_the_structs_say() -> None:
    assert SHIPPED.read_bytes() == text(schema()), "python -m edge.bus.schema > (that file)"


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
