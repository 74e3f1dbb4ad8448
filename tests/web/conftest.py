"""Tests in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chromium import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Until the file ends: while playwright runs, other tests cannot run a loop of their own."""
    with chromium() as browser:
        yield browser
