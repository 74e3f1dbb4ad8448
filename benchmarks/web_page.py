"""A picture of the live page: `python -m benchmarks.web_page docs/web.png --microphone CLIP`.

The product on the demo, in Debian's Chromium at 1280x800, two seconds after a recording of CLIP
that the page's own button began. `make test-web` installs what it needs.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import sync_playwright

from benchmarks.product import running, settings
from benchmarks.web import CHROMIUM, FLAGS
from benchmarks.web_metrics import PORT
from edge.config import AudioConfig, CameraConfig, WebConfig

MINUTES = 1.5
"""So long it runs before, so that the last ten minutes hold something."""
WAIT_S = 60.0


def picture(page: Any, file: Path) -> None:
    """Press the button; once there is a voice, wait for a face, and take the picture."""
    page.goto(f"http://127.0.0.1:{PORT}/")
    page.wait_for_selector("#record:enabled")
    page.click("#record")
    shown = "#voice-source:has-text('%')"
    page.wait_for_selector(shown, timeout=1000 * WAIT_S)
    page.mouse.move(0, 0)
    time.sleep(2)
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s:
        label = page.get_attribute("#picture", "aria-label")
        if page.text_content("#word") == "happy" and label.startswith("1 "):
            break
        page.wait_for_timeout(50)
    page.screenshot(path=file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--microphone", required=True, metavar="CLIP")
    options = parser.parse_args()
    config = settings(
        camera=CameraConfig(source="demo"),
        audio=AudioConfig(source=options.microphone),
        web=WebConfig(bind=f"127.0.0.1:{PORT}"),
    )
    with running(msgspec.structs.replace(config, device="kitchen")) as product:
        product.until(lambda topic, _: topic == "health.web")
        time.sleep(60 * MINUTES)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            picture(browser.new_page(viewport={"width": 1280, "height": 800}), options.file)
            browser.close()


if __name__ == "__main__":
    main()
