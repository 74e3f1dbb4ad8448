"""Debian's Chromium, driven by playwright: `make test-web` installs both."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.harness import ROOT

CHROMIUM = shutil.which("chromium") or ""
AXE = (
    Path(os.environ.get("EMOTION_EDGE_AXE", ROOT / "build" / "web"))
    / "node_modules/axe-core/axe.min.js"
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTS = ("kitchen.local", "emotions.example", "evil.test")
"""A name of the device's, a reverse proxy's, and an attacker's that was rebound to it."""
NAMES = ",".join(f"MAP {host} 127.0.0.1" for host in HOSTS)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window; everything but this host is out of its reach."""
    from playwright.sync_api import sync_playwright

    rules = f"{NAMES},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1,EXCLUDE localhost"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, f"--host-resolver-rules={rules}"]
        )
        try:
            yield browser
        finally:
            browser.close()
