"""What the web pages cost, and what they withstand: `python -m benchmarks.web [FILE.md]`.

With `--only` some steps are measured again; FILE.json keeps the rows of the others.

The product on the demo, viewers of its own, Debian's Chromium and Debian's Prometheus (make
test-web installs them). `--minutes` is how long viewers come and go, and how long Prometheus
scrapes.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_s, machine, percentile, pss_mb
from benchmarks.product import Product, running, settings
from benchmarks.web_clients import SlowViewer, Viewers, attack, come_and_go
from benchmarks.web_metrics import PORT, Row, get, row, scraped
from edge.bus.messages import HealthMessage
from edge.bus.pubsub import age_ms
from edge.config import AudioConfig, CameraConfig, WebConfig
from edge.web.handlers import STATIC

CPU_S, AGES_S, SLOW_S = 20.0, 20.0, 15.0
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
COLLECT = """() => { window.ages = []; const canvas = document.getElementById("picture");
  new MutationObserver(() => ages.push(Date.now() / 1000 - Number(canvas.dataset.time)))
    .observe(canvas, {attributes: true, attributeFilter: ["data-frame"]}); }"""


def costs(product: Product) -> Iterator[Row]:
    """3, 4: the CPU and memory of the process, with nobody and somebody watching."""
    pid = product.pid("web")
    for count, bar in ((0, 0.5), (1, 4.0), (5, 8.0)):
        with Viewers(PORT, count) if count else nobody():
            time.sleep(3)
            before = cpu_s(pid)
            time.sleep(CPU_S)
            share = 100 * (cpu_s(pid) - before) / CPU_S
            yield row(3, f"{count} viewers: of a core", share, bar, "%", 2)
            if count < 2:
                what, limit = ("with picture", 45.0) if count else ("idle", 25.0)
                yield row(4, f"PSS, {what}", pss_mb(pid), limit, "MB")


@contextmanager
def nobody() -> Iterator[None]:
    yield


def growth(product: Product, minutes: float) -> Iterator[Row]:
    """4: viewers that come and go."""
    pid = product.pid("web")
    come_and_go(PORT, 60)
    before = pss_mb(pid)
    count = come_and_go(PORT, 60 * minutes)
    grown = pss_mb(pid) - before
    what = f"PSS growth, {count} viewers that come and go in {minutes:g} minutes"
    yield row(4, what, grown, 1.0, "MB", 2)


def ages() -> Iterator[Row]:
    """1, 2: Chromium's first picture, and how old what it shows is; a slow viewer beside it."""
    from playwright.sync_api import sync_playwright

    with Viewers(PORT, 1) as viewers:
        time.sleep(AGES_S)
    arrived = [1000 * p.age_s for p in viewers.packets if p.age_s is not None]
    yield age("age of the picture when it arrives, p95", arrived)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        browser.new_page().goto("about:blank")
        firsts = [first_picture_s(browser) for _ in range(7)]
        yield row(1, "open to first picture, median of 7", statistics.median(firsts), 1.5, "s", 2)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.wait_for_timeout(3000)
        yield age("age of the picture in Chromium, p95", collected(page, AGES_S))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            slow = pool.apply_async(slow_ages)
            beside = collected(page, SLOW_S)
            oldest = max(slow.get(60))
        yield row(2, "oldest picture of a viewer of 100 kB/s", oldest, 1000, "ms", 0)
        yield age("Chromium beside it, p95", beside)
        browser.close()


def age(what: str, samples: list[float]) -> Row:
    """2: a row of ages, ms."""
    p95, median = percentile(samples, 0.95), statistics.median(samples)
    value = f"{p95:.0f} ms (median {median:.0f}, least {min(samples):.0f})"
    return Row(2, what, value, "150 ms", p95 <= 150)


def first_picture_s(browser: Any) -> float:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{PORT}/", wait_until="commit")
    shown = "document.getElementById('picture')?.dataset.frame && performance.now() / 1000"
    while not (at_s := page.evaluate(shown)):
        page.wait_for_timeout(10)
    page.close()
    return float(at_s)


def collected(page: Any, seconds: float) -> list[float]:
    """Ages of all pictures that the page shows in this time, ms."""
    page.evaluate(COLLECT)
    page.wait_for_timeout(1000 * seconds)
    return [1000 * age for age in page.evaluate("window.ages")]


def slow_ages() -> list[float]:
    viewer = SlowViewer(PORT, 100_000)
    found = [1000 * p.age_s for p in viewer.packets(SLOW_S) if p.age_s is not None]
    viewer.close()
    return found


def assets() -> Iterator[Row]:
    """5: all that a browser may ever load."""
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    total = sum(len(gzip.compress(path.read_bytes())) for path in files)
    yield row(5, f"{len(files)} files, gzip", total / 1000, 150, "kB")


def attacked(product: Product) -> Iterator[Row]:
    """9: the bus, the memory and the pages while somebody attacks."""
    pid = product.pid("web")
    before = statistics.median(bus_delay_ms(product, 3) for _ in range(8))
    memory = pss_mb(pid)
    most: list[float] = []
    attacker = multiprocessing.get_context("spawn").Process(
        target=attack, args=(PORT, 10_000, 1_000)
    )
    attacker.start()
    during: list[float] = []
    while attacker.is_alive():
        during.append(bus_delay_ms(product, 3))
        most.append(pss_mb(pid))
    after = statistics.median(during) - before
    yield row(9, "local bus p95 while attacked, beyond that before", after, 5, "ms")
    yield row(9, "PSS while attacked, beyond that before", max(most) - memory, 20, "MB")
    time.sleep(12)
    alive = product.pid("web") == pid and get("/").startswith(b"<!doctype")
    yield Row(9, "the same process answers afterwards", "yes" if alive else "no", "yes", alive)


def bus_delay_ms(product: Product, seconds: float) -> float:
    """From publishing to receiving, p95."""
    product.subscriber.receive()
    delays = [age_ms(m.t_ns) - m.age_ms for topic, m in product.during(seconds) if topic == "face"]
    return percentile(delays, 0.95)


def killed(product: Product) -> Iterator[Row]:
    """10: what a viewer sees when a process dies, and when one hangs."""
    with Viewers(PORT, 1) as viewers:
        time.sleep(3)
        for name in ("hub", "face", "camera"):
            at_s = time.time()
            os.kill(product.pid(name), signal.SIGKILL)
            time.sleep(9)
            later = [p for p in viewers.packets if p.at_s > at_s]
            moments = [at_s, *(p.at_s for p in later if p.age_s is not None and p.age_s < 1)]
            gap = max(b - a for a, b in pairwise(moments))
            yield row(10, f"{name} killed: longest time without a picture", gap, 5, "s")
        for name in ("face", "camera"):
            os.kill(product.pid(name), signal.SIGSTOP)
            at_s = time.time()
            time.sleep(4.5)
            os.kill(product.pid(name), signal.SIGCONT)
            named = [p.at_s - at_s for p in viewers.packets if p.at_s > at_s and names(p, name)]
            yield row(10, f"{name} hangs: named after", min(named, default=99), 3, "s")
            time.sleep(4)


def names(packet: Any, name: str) -> bool:
    return any(problem["service"] == name for problem in packet.values.get("problems", []))


def table(rows: list[list[Any]]) -> str:
    """The report; a row has the load of the machine beside it."""
    about = machine()
    lines = [
        "# Web pages: what they cost, and what they withstand",
        "",
        f"Written by `python -m benchmarks.web docs/reports/web.md`, on {about['cpu']},",
        f"{about['cores']} cores, {about['system']}, Python {about['python']}.",
        "The product ran on the demo, 640x480 at 30 Hz, with five pictures a second per viewer.",
        f"Load: the whole machine's, a minute's mean; it has {about['cores']} cores, above that",
        "programs wait for each other. The dashboard was not opened in Grafana: Prometheus",
        "answered its expressions. Three ask for sensors that this machine lacks;",
        "tests/web/test_prometheus.py has them answered, too.",
        "",
        "| bar | what | measured | at most | | load |",
        "|---|---|---|---|---|---|",
    ]
    for number, what, value, bar, met, load in sorted(rows, key=lambda fields: int(fields[0])):
        mark = {True: "met", False: "**missed**", None: ""}[met]
        lines.append(f"| {number} | {what} | {value} | {bar} | {mark} | {load:.1f} |")
    return "\n".join(lines) + "\n"


def measure(product: Product, names: list[str], minutes: float) -> Iterator[tuple[str, list[Any]]]:
    """(step, row) of these steps."""
    steps: dict[str, Callable[[], Iterator[Row]]] = {
        "assets": assets,
        "costs": lambda: costs(product),
        "ages": ages,
        "killed": lambda: killed(product),
        "attacked": lambda: attacked(product),
        "scraped": lambda: scraped(product, minutes),
        "growth": lambda: growth(product, minutes),
    }
    for name in names or steps:
        for line in steps[name]():
            print(*line, sep=" | ", flush=True)
            yield name, [*line, os.getloadavg()[0]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="+", default=[], metavar="STEP")
    options = parser.parse_args()
    config = settings(
        camera=CameraConfig(source="demo"),
        audio=AudioConfig(source="none"),
        web=WebConfig(bind=f"127.0.0.1:{PORT}"),
    )
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            raise SystemExit(f"port {PORT} is in use: end what is there")
    results: dict[str, list[list[Any]]] = {}
    with running(config) as product:
        product.until(lambda t, m: t == "health.web" and isinstance(m, HealthMessage))
        time.sleep(10)
        for name, line in measure(product, options.only, options.minutes):
            results.setdefault(name, []).append(line)
    if options.report:
        kept = options.report.with_suffix(".json")
        before = json.loads(kept.read_text()) if kept.exists() else {}
        results = {**before, **results}
        kept.write_text(json.dumps(results, indent=1) + "\n")
        options.report.write_text(table([line for rows in results.values() for line in rows]))


if __name__ == "__main__":
    main()
