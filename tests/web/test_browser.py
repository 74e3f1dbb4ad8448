"""The pages in Debian's Chromium: what is drawn, what breaks, what other websites can do."""

import contextlib
import importlib.util
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.bus.frames import FramePublisher
from edge.bus.messages import (
    SERVICES,
    AudioMessage,
    Change,
    Emotion,
    HealthMessage,
    RecordingMessage,
)
from edge.config import Config
from edge.services import hub, web
from tests.support.chromium import AXE, CHROMIUM
from tests.support.harness import listening, publishing, running, wait_for
from tests.support.messages import EXAMPLES
from tests.support.web import (
    ADMIN,
    VIEWER,
    Browser,
    face_of,
    frame,
    is_open,
    now,
    origin,
    serving,
    set_passwords,
    with_web,
)

needs_browser = pytest.mark.skipif(
    not CHROMIUM or importlib.util.find_spec("playwright") is None,
    reason="no Chromium or no playwright here: make test-web installs them",
)
pytestmark = [pytest.mark.browser, needs_browser]
SIZE = 640, 480
WAIT_MS = 20_000
EVIL = "<script>window.broken = 1</script><b>bold</b>"
PIXELS = """() => {
  const canvas = document.getElementById("picture"), pen = canvas.getContext("2d");
  const w = canvas.width, h = canvas.height, scale = Math.min(w / 640, h / 480);
  const left = (w - 640 * scale) / 2, top = (h - 480 * scale) / 2;
  const px = (v, from) => Math.round(from + v * scale);
  const at = (x, y) => [...pen.getImageData(px(x, left), px(y, top), 1, 1).data];
  const bits = [...Array(16).keys()].map((bit) => at((2 * bit + 1) * 20, 20)[0] > 127);
  const seq = bits.reduce((sum, bit, i) => sum + (bit << i), 0);
  const yellow = ([r, g, b]) => r > 180 && g > 150 && b < 120;
  const row = pen.getImageData(0, Math.round(top + 330 * scale), w, 1).data;
  let box = -1;
  for (let x = 0; x < w && box < 0; x++) if (yellow([...row.slice(4 * x, 4 * x + 3)])) box = x;
  return { seq, frame: Number(canvas.dataset.frame), box: (box - left) / scale };
}"""


MOVING = """[...document.querySelectorAll("*")].map((e) => getComputedStyle(e)).filter((style) =>
  parseFloat(style.transitionDuration) || style.animationName !== "none").length"""
FORGE = """(u) => fetch(u, {method: "POST", mode: "no-cors", credentials: "include", body: "a=b"})
  .then((r) => r.type, String)"""
SHARES = """(labels) => [...document.querySelectorAll("#shares li")]
  .filter((item) => item.querySelector("output").textContent)
  .map((item) => item.dataset.label).join() === labels.join()"""
FITS = "(e) => e.scrollWidth <= e.clientWidth"


def box_of(number: int) -> float:
    """Where the box of this frame stands: its left edge, px."""
    return 40.0 + number * 7 % 400


class Device:
    """A camera, a face process, and all others, as far as the bus shows."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.label = "happy"
        self.faces = 1
        self.silent: set[str] = set()
        self.detail = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Device":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with publishing(self.config) as self.bus:
            frames = FramePublisher(self.config.endpoint("frames"))
            number = 0
            while not self._stop.wait(0.033):
                number += 1
                self._publish(frames, number)
            frames.close()

    def _publish(self, frames: FramePublisher, number: int) -> None:
        if "camera" not in self.silent:
            frames.publish(frame(number, SIZE))
        if "face" not in self.silent:
            self.bus.publish("face", self._faces(number))
        if number % 5 == 1:
            known = {"emotion": self.label, "confidence": 0.9, "face_age_s": 0.1}
            scores = {"happy": 0.7, "sad": 0.2, "neutral": 0.1}
            self.bus.publish(
                "emotion", now(Emotion, **known, scores=scores, valence=0.5, arousal=0.3)
            )
        if number % 15 == 1:
            for name in set(SERVICES) - self.silent:
                detail = self.detail if name == "camera" else ""
                state = "degraded" if detail else "ok"
                fields = {**EXAMPLES["health"], "state": state, "detail": detail}
                self.bus.publish(f"health.{name}", now(HealthMessage, **fields))
            self.bus.publish("recording", now(RecordingMessage, phase="idle"))

    def _faces(self, number: int) -> Any:
        one = EXAMPLES["face"]["faces"][0]
        faces = [
            msgspec.structs.replace(
                one, id=n, emotion=self.label, box=(box_of(number) + 30 * n, 300.0, 90.0, 90.0)
            )
            for n in range(self.faces)
        ]
        return face_of(number, faces=faces, frame_size=SIZE)


@pytest.fixture
def device(with_hub: Config) -> Iterator[Device]:
    config = with_web(with_hub)
    with Device(config) as device, serving(config):
        yield device


@contextlib.contextmanager
def tab(
    browser: Any, config: Config, path: str = "/", host: str = "", **options: Any
) -> Iterator[Any]:
    """A page in a browser of its own; `problems`: what its console complained of."""
    options = {"viewport": {"width": 1280, "height": 800}, **options}
    context = browser.new_context(**options)
    page = context.new_page()
    page.problems, page.addresses = [], []
    page.on("request", lambda request: page.addresses.append(request.url))
    page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(request.url))
    page.goto((host or origin(config)) + path, wait_until="commit")
    try:
        yield page
    finally:
        context.close()


def until(page: Any, expression: str, argument: object = None) -> None:
    """Look again and again; playwright's own way needs eval, which the pages forbid."""

    def is_so() -> bool:
        page.wait_for_timeout(50)
        return bool(page.evaluate(expression, argument))

    wait_for(is_so, expression, WAIT_MS / 1e3)


def until_pictured(page: Any) -> None:
    until(page, "document.getElementById('picture')?.dataset.frame > 0")


def test_the_canvas_shows_the_box_of_the_very_frame(device: Device, browser: Any) -> None:
    with tab(browser, device.config) as page:
        until_pictured(page)
        seen = set()
        for _ in range(25):
            drawn = page.evaluate(PIXELS)
            assert drawn["seq"] == drawn["frame"]
            if drawn["box"] >= 0:
                assert drawn["box"] == pytest.approx(box_of(drawn["seq"]), abs=6)
                seen.add(drawn["seq"])
            time.sleep(0.1)
        assert len(seen) >= 5 and page.problems == []


def test_a_service_that_dies_is_named_and_the_picture_returns_without_a_reload(
    device: Device, browser: Any
) -> None:
    with tab(browser, device.config) as page:
        until_pictured(page)
        page.evaluate("window.same = true")
        for name, word in (("camera", "camera"), ("face", "face")):
            device.silent.add(name)
            page.wait_for_selector(f"#problems p:has-text('{word}')", timeout=WAIT_MS)
            if name == "camera":
                page.wait_for_selector("#note:not(:empty)", timeout=WAIT_MS)
            device.silent.discard(name)
            page.wait_for_selector("#problems:not(:has(p))", state="attached", timeout=WAIT_MS)
            page.wait_for_selector("#note:empty", state="attached", timeout=WAIT_MS)
        assert page.evaluate("window.same")


def test_a_hub_and_a_web_service_that_die_come_back_without_a_reload(
    config: Config, browser: Any
) -> None:
    config = with_web(config)
    with running(hub.run, config), Device(config):
        with running(web.run, config):
            wait_for(lambda: is_open(config), "the pages are served")
            context = browser.new_context()
            page = context.new_page()
            page.goto(origin(config))
            until_pictured(page)
            page.evaluate("window.same = true")
        page.wait_for_selector("#pulse[data-state=stale]", timeout=WAIT_MS)
        with running(web.run, config):
            page.wait_for_selector("#pulse[data-state=live]", timeout=WAIT_MS)
            page.wait_for_selector("#note:empty", state="attached", timeout=WAIT_MS)
            assert page.evaluate("window.same")
            context.close()


def test_labels_names_and_details_stay_text(with_hub: Config, browser: Any) -> None:
    config = with_web(msgspec.structs.replace(with_hub, device=f"{EVIL}{'x' * 150}"))
    with Device(config) as device, serving(config):
        device.label, device.detail, device.faces = EVIL, EVIL, 20
        for path in ("/", "/health", "/history", "/settings"):
            with tab(browser, config, path, viewport={"width": 320, "height": 640}) as page:
                if path == "/":
                    until_pictured(page)
                    page.wait_for_selector("#problems p", timeout=WAIT_MS)
                    assert page.text_content("#word") == EVIL
                else:
                    page.wait_for_timeout(700)
                assert (
                    page.evaluate("window.broken") is None
                    and page.query_selector("b:text('bold')") is None
                )
                assert page.evaluate("document.documentElement.scrollWidth") <= 320
                assert page.problems == []


def test_without_javascript_there_is_a_page_with_the_state(device: Device, browser: Any) -> None:
    def is_told() -> bool:
        with tab(browser, device.config, java_script_enabled=False) as page:
            page.wait_for_load_state()
            return bool(re.search("happy.*90%.*Faces: 1", page.inner_text("main"), re.DOTALL))

    wait_for(is_told, "the state is told")


def test_who_wants_less_motion_gets_none(device: Device, browser: Any) -> None:
    with tab(browser, device.config, reduced_motion="reduce") as page:
        until_pictured(page)

        assert page.evaluate(MOVING) == 0


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [320, 390, 1280, 1920])
@pytest.mark.parametrize("path", ["/", "/?kiosk", "/history", "/health", "/settings"])
def test_pages_fit_and_nothing_is_fetched_elsewhere(
    with_hub: Config, browser: Any, path: str, width: int, language: str
) -> None:
    display = msgspec.structs.replace(with_hub.display, language=language)
    config = msgspec.structs.replace(with_web(with_hub), display=display)
    with Device(config), serving(config):
        viewport = {"width": width, "height": 800}
        with tab(browser, config, path, viewport=viewport) as page:
            if path in ("/", "/?kiosk"):
                until_pictured(page)
            else:
                page.wait_for_timeout(500)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.get_attribute("html", "lang") == language
            assert all(address.startswith(origin(config)) for address in page.addresses)
            assert page.problems == []


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: make test-web installs it")
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(
    "path", ["/", "/?kiosk", "/history", "/health", "/findings", "/settings", "/login"]
)
def test_axe_finds_no_violation(device: Device, browser: Any, path: str, scheme: str) -> None:
    def violations() -> list[str]:
        with tab(browser, device.config, path, color_scheme=scheme, bypass_csp=True) as page:
            if path in ("/", "/?kiosk"):
                until_pictured(page)
            if path == "/history":
                for _ in range(40):
                    device.bus.publish("change", now(Change, **EXAMPLES["change"]))
                until(page, "document.querySelectorAll('#events li').length > 30")
            page.wait_for_timeout(1200)
            page.add_script_tag(path=str(AXE))
            tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
            found = page.evaluate("(tags) => axe.run({runOnly: tags})", tags)
            return [
                f"{v['id']}: {n['html'][:200]}" for v in found["violations"] for n in v["nodes"]
            ]

    device.detail = "no camera found"
    assert violations() == []


def test_everything_can_be_reached_and_used_by_keyboard(device: Device, browser: Any) -> None:
    with listening(device.config.endpoint("out"), "press") as presses:
        with tab(browser, device.config) as page:
            until_pictured(page)
            page.wait_for_selector("#record:enabled", timeout=WAIT_MS)
            seen = []
            for _ in range(12):
                page.keyboard.press("Tab")
                seen.append(
                    page.evaluate(
                        "document.activeElement.id || document.activeElement.getAttribute('href')"
                    )
                )
                assert (
                    page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                )
                if seen[-1] == "record":
                    page.keyboard.press("Enter")
                    break
            assert seen[:6] == ["#main", "/", "/", "/history", "/health", "/settings"]
        presses.topic("press")


def test_the_chart_zooms_by_keyboard_and_mouse(device: Device, browser: Any) -> None:
    with tab(browser, device.config, "/history") as page:
        until(page, "document.getElementById('reading')?.textContent")
        before = page.text_content("#reading")
        page.focus("#chart")
        page.keyboard.press("+")
        until(page, "(t) => document.getElementById('reading').textContent !== t", before)
        assert page.is_visible("#reset") and "points=600" in page.get_attribute("#csv", "href")
        page.keyboard.press("0")
        page.wait_for_selector("#reset", state="hidden")
        box = page.locator("#chart").bounding_box()
        page.mouse.move(box["x"] + 100, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 60, steps=4)
        page.mouse.up()
        page.wait_for_selector("#reset", timeout=WAIT_MS)
        page.click("text=Week")
        page.wait_for_selector("#note:has-text('recorder')", timeout=WAIT_MS)


def test_voices_and_changes_are_listed(device: Device, browser: Any) -> None:
    with tab(browser, device.config, "/history") as page:
        device.bus.publish("audio", now(AudioMessage, **EXAMPLES["audio"]))
        device.bus.publish("change", now(Change, **EXAMPLES["change"]))
        page.wait_for_selector("#events li:has-text('calm')", timeout=WAIT_MS)
        page.wait_for_selector("#events li:has-text('nobody → happy')", timeout=WAIT_MS)


def test_the_history_counts_what_was_uncertain_and_explains_its_signs(
    device: Device, browser: Any
) -> None:
    device.label = "uncertain"
    with tab(browser, device.config, "/history") as page:
        page.wait_for_selector("#shares li[data-label=uncertain] output:not(:empty)")
        until(page, SHARES, ["uncertain"])
        device.label = "happy"
        until(page, SHARES, ["happy", "uncertain"])
        legend = page.locator(".legend li").all_inner_texts()
        assert len(legend) == len(set(legend)) == 13
        assert {"uncertain", "nobody", "change", "mark"} <= set(legend)
        assert page.problems == []


def until_said(device: Device, page: Any) -> None:
    """That results are kept, once they are."""
    fields = {**EXAMPLES["health"], "recording_data": True}

    def is_said() -> bool:
        device.bus.publish("health.recorder", now(HealthMessage, **fields))
        page.wait_for_timeout(100)
        return bool(page.is_visible("#keeping"))

    wait_for(is_said, "the page says so")


def test_a_kiosk_says_that_results_are_kept(device: Device, browser: Any) -> None:
    with tab(browser, device.config, "/?kiosk") as page:
        until_pictured(page)
        assert not page.is_visible("#keeping") and not page.is_visible("#pulse")
        until_said(device, page)


def test_a_kiosk_fits_the_small_screen_of_a_pi(device: Device, browser: Any) -> None:
    viewport = {"width": 800, "height": 480}
    with tab(browser, device.config, "/?kiosk", viewport=viewport) as page:
        until_pictured(page)
        sides = page.evaluate("[document.documentElement.scrollWidth, document.body.scrollHeight]")
        assert sides == [800, 480]
        assert page.locator("#stage").bounding_box()["width"] > 400


def test_the_health_page_renews_itself_and_examines(device: Device, browser: Any) -> None:
    with tab(browser, device.config, "/health") as page:
        page.wait_for_selector("#examine", timeout=WAIT_MS)
        page.evaluate("window.same = true")
        assert not page.is_visible("#keeping")
        until_said(device, page)
        page.click("#examine")
        page.wait_for_selector("#findings li:has-text('voice model')", timeout=3 * WAIT_MS)
        assert page.evaluate("window.same") and page.problems == []


def test_a_login_leads_to_the_page_that_was_wanted(with_hub: Config, browser: Any) -> None:
    config = with_web(with_hub, "0.0.0.0", hosts=["kitchen.local"])
    set_passwords(config)
    port = config.web.address[1]
    with serving(config), tab(browser, config, "/health", f"http://kitchen.local:{port}") as page:
        page.wait_for_selector("#password")
        page.fill("#password", VIEWER)
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Health')", timeout=WAIT_MS)
        assert page.query_selector("a[href='/settings']") is None
        page.click("text=Log out")
        page.wait_for_selector("#password", timeout=WAIT_MS)


def attacks(browser: Any, config: Config, run: Callable[[Any, str], Any]) -> Any:
    """From a page of evil.test on this host, in a browser that is logged in at kitchen.local."""
    port = config.web.address[1]
    target = f"http://kitchen.local:{port}"
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{target}/login")
    page.fill("#password", ADMIN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{target}/")
    attacker = context.new_page()
    attacker.route("**/evil", lambda route: route.fulfill(content_type="text/html", body="<p>evil"))
    attacker.goto(f"http://evil.test:{port}/evil")
    try:
        return run(attacker, target)
    finally:
        context.close()


@pytest.fixture
def kitchen(with_hub: Config) -> Iterator[Config]:
    config = with_web(with_hub, "0.0.0.0", hosts=["kitchen.local"])
    set_passwords(config)
    with Device(config), serving(config):
        yield config


def test_a_rebound_name_gets_nothing(kitchen: Config, browser: Any) -> None:
    page = browser.new_page()
    answer = page.goto(f"http://evil.test:{kitchen.web.address[1]}/")
    assert answer.status == 421 and "Emotion" not in page.content()
    page.close()


def test_another_website_neither_records_nor_listens_nor_frames(
    kitchen: Config, browser: Any
) -> None:
    def run(page: Any, target: str) -> None:
        page.evaluate(FORGE, f"{target}/record")
        opened = """(u) => new Promise((done) => { const s = new WebSocket(u);
          s.onopen = () => done("opened"); s.onerror = () => done("refused"); })"""
        assert page.evaluate(opened, f"ws://{target[7:]}/live") == "refused"
        page.set_content(
            f"<iframe src='{target}/'></iframe><form method=post action='{target}/record'></form>"
        )
        page.wait_for_timeout(1000)
        frames = [frame for frame in page.frames if frame != page.main_frame]
        assert not any("Emotion" in frame.content() for frame in frames)
        with page.expect_navigation():
            page.evaluate("document.forms[0].submit()")
        assert page.url == f"{target}/record" and "403" in page.content()

    with listening(kitchen.endpoint("out"), "press") as presses:
        attacks(browser, kitchen, run)
        assert not presses.subscriber.socket.poll(500)


def test_many_faces_and_long_words_in_german_do_not_break_the_page(
    with_hub: Config, browser: Any
) -> None:
    display = msgspec.structs.replace(with_hub.display, language="de")
    config = msgspec.structs.replace(with_web(with_hub), display=display)
    with Device(config) as device, serving(config):
        device.faces, device.label = 20, "surprise"
        with tab(browser, config, viewport={"width": 320, "height": 640}) as page:
            until_pictured(page)
            page.wait_for_selector("#word:has-text('Überraschung')", timeout=WAIT_MS)
            assert page.locator("#word").evaluate(FITS) and page.problems == []


def test_a_clock_that_jumps_does_not_stop_the_page(device: Device, browser: Any) -> None:
    with tab(browser, device.config) as page:
        until_pictured(page)
        page.evaluate("Date.now = () => 0")
        first = page.get_attribute("#picture", "data-frame")
        until(page, "(f) => document.getElementById('picture').dataset.frame > f", first)
        assert page.get_attribute("#pulse", "data-state") == "live"


def test_a_second_browser_of_the_same_user_is_counted(device: Device, browser: Any) -> None:
    with tab(browser, device.config) as one, tab(browser, device.config):
        one.wait_for_selector("#viewers:has-text('2 viewers')", timeout=WAIT_MS)
        assert Browser(device.config).get("/").status == 200
