from collections.abc import Iterator

import pytest

from edge.config import Config
from tests.support.product import Product, product, until_all_speak


@pytest.fixture
def running(config: Config) -> Iterator[Product]:
    """The product on the demo, every process at work."""
    with product(config) as running:
        until_all_speak(running)
        yield running
