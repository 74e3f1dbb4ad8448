"""Tests in a real browser: skipped where there is none."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chromium import CHROMIUM, chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if not CHROMIUM or importlib.util.find_spec("playwright") is None:
        pytest.skip("no Chromium or no playwright here: make test-web installs them")
    with chromium() as browser:
        yield browser
