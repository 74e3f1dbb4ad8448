"""What a process loads before it works: a library that it does not need is memory for nothing."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("edge.services.hub", {"numpy", "cv2", "asyncio"}),
        ("edge.services.fusion", {"numpy", "cv2", "asyncio"}),
        ("edge.services.gateway", {"numpy", "cv2", "asyncio", "zeroconf"}),
        ("edge.services.mqtt", {"numpy", "cv2", "asyncio", "zeroconf"}),
        ("edge.services.recorder", {"numpy", "cv2", "asyncio", "zeroconf", "pandas"}),
        ("edge.services.web", {"numpy", "cv2", "zeroconf"}),
        ("edge.commands.run", {"numpy", "cv2", "asyncio"}),
        ("edge.client", {"numpy", "cv2"}),
    ],
)
def test_a_process_does_not_load_what_it_does_not_need(module: str, unwanted: set[str]) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(loaded.stdout.split()) & unwanted
