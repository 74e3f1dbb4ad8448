"""What the web pages cost, and what they withstand: `python -m benchmarks.web [FILE.md]`.

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
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import cpu_s, machine, percentile, pss_mb
from benchmarks.product import Product, running, settings
from benchmarks.web_clients import SlowViewer, Viewers, attack, come_and_go
from edge.bus.messages import Emotion, HealthMessage
from edge.bus.pubsub import age_ms
from edge.config import AudioConfig, CameraConfig, WebConfig
from edge.web.board import label_of
from edge.web.handlers import STATIC

PORT, PROMETHEUS_PORT = 21_880, 21_890
GRAFANA = Path(__file__).resolve().parents[1] / "deploy" / "grafana"
CPU_S, AGES_S, SLOW_S = 20.0, 20.0, 15.0
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
COLLECT = """() => { window.ages = []; const canvas = document.getElementById("picture");
  new MutationObserver(() => ages.push(Date.now() / 1000 - Number(canvas.dataset.time)))
    .observe(canvas, {attributes: true, attributeFilter: ["data-frame"]}); }"""


class Row(NamedTuple):
    """A line of the table."""

    number: int
    what: str
    value: str
    bar: str
    met: bool | None = None
    """None = there is no bar."""


def row(number: int, what: str, value: float, bar: float, unit: str, digits: int = 1) -> Row:
    """A value that must not exceed its bar."""
    shown = f"{value:.{digits}f} {unit}"
    return Row(number, what, shown, f"{bar:g} {unit}", round(value, digits) <= bar)


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

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        browser.new_page().goto("about:blank")
        firsts = [first_picture_s(browser) for _ in range(7)]
        yield row(1, "open to first picture, median of 7", statistics.median(firsts), 1.5, "s", 2)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PORT}/")
        page.wait_for_timeout(3000)
        with Viewers(PORT, 1) as viewers:
            alone = collected(page, AGES_S)
        arrived = [1000 * p.age_s for p in viewers.packets if p.age_s is not None]
        yield row(
            2, "age of the picture when it arrives, p95", percentile(arrived, 0.95), 150, "ms", 0
        )
        yield row(2, "age of the picture in Chromium, p95", percentile(alone, 0.95), 150, "ms", 0)
        slow: list[float] = []
        thread = threading.Thread(target=lambda: slow.extend(slow_ages()))
        thread.start()
        beside = collected(page, SLOW_S)
        thread.join()
        yield row(2, "oldest picture of a viewer of 100 kB/s", max(slow), 1000, "ms", 0)
        yield row(2, "Chromium beside it, p95", percentile(beside, 0.95), 150, "ms", 0)
        browser.close()


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
    before, memory = bus_delay_ms(product, 15), pss_mb(pid)
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


def get(path: str, port: int = PORT) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return bytes(answer.read())


@contextmanager
def prometheus(
    port: int, interval_s: int = 5, token: Path | None = None
) -> Iterator[Callable[[str], list[Any]]]:
    """A real one that scrapes the pages at `port`; gives a function that queries it."""
    with tempfile.TemporaryDirectory(prefix="ee-prometheus-") as folder:
        config = Path(folder, "prometheus.yml")
        login = f", authorization: {{credentials_file: {token}}}" if token else ""
        config.write_text(
            f"global: {{scrape_interval: {interval_s}s, evaluation_interval: {interval_s}s}}\n"
            f"rule_files: [{GRAFANA / 'alerts.yml'}]\n"
            "scrape_configs: [{job_name: emotion-edge, static_configs: "
            f"[{{targets: ['127.0.0.1:{port}']}}]{login}}}]\n"
        )
        command = [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}", "--log.level=error",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield query
        finally:
            process.terminate()
            process.wait()


def query(expression: str) -> list[Any]:
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    return list(json.loads(get(path, PROMETHEUS_PORT))["data"]["result"])


def scraped(product: Product, minutes: float) -> Iterator[Row]:
    """11, 12: metrics in Prometheus against what was on the bus."""
    page = get("/metrics")
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    findings = (checked.stdout + checked.stderr).decode().strip()
    yield Row(11, "promtool check metrics", findings or "no finding", "none", not findings)
    with prometheus(PORT) as ask:
        time.sleep(12)
        truth, seconds = shares(product, 60 * minutes)
        window = f"{int(seconds)}s"
        up = float(ask(f"min_over_time(up[{window}])")[0]["value"][1])
        yield Row(11, f"`up`, the least in {minutes:g} minutes", f"{up:g}", "1", up == 1)
        series = float(ask("scrape_samples_scraped")[0]["value"][1])
        yield Row(11, "series", f"{series:g}", "150", series <= 150)
        longest = ask(f"quantile_over_time(0.95, scrape_duration_seconds[{window}])")
        yield row(11, "scrape, p95", 1000 * float(longest[0]["value"][1]), 20, "ms")
        error = largest_error(ask, truth, window)
        yield row(11, "share of an emotion by rate(), off the bus by", 100 * error, 2, "%", 2)
        yield from answered(ask)


def shares(product: Product, seconds: float) -> tuple[dict[str, float], float]:
    """How much of the time each emotion was published, as a subscriber sees it."""
    total: dict[str, float] = {}
    last: tuple[float, str] | None = None
    began_s = time.monotonic()
    product.subscriber.receive()
    for _, message in product.during(seconds):
        if isinstance(message, Emotion):
            at_s = message.t_ns / 1e9 + message.age_ms / 1e3
            if last is not None:
                total[last[1]] = total.get(last[1], 0.0) + at_s - last[0]
            last = at_s, label_of(message)
    whole = sum(total.values())
    return {label: s / whole for label, s in total.items()}, time.monotonic() - began_s


def largest_error(ask: Callable[[str], list[Any]], truth: dict[str, float], window: str) -> float:
    rates = ask(f"rate(emotion_edge_emotion_seconds_total[{window}])")
    found = {r["metric"]["emotion"]: float(r["value"][1]) for r in rates}
    whole = sum(found.values())
    return max(abs(found.get(label, 0) / whole - share) for label, share in truth.items())


def expressions() -> dict[str, str]:
    """{title: expression} of dashboard and rules; of a rule what is left of its comparison."""
    board = json.loads((GRAFANA / "dashboard.json").read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }
    for block in (GRAFANA / "alerts.yml").read_text().split("- alert: ")[1:]:
        expression = block.partition("expr: ")[2].partition("\n")[0]
        found[block.split()[0]] = expression.rpartition(" == " if " == " in expression else " > ")[
            0
        ]
    return found


def answered(ask: Callable[[str], list[Any]]) -> Iterator[Row]:
    """12: every expression has an answer."""
    empty = []
    wanted = expressions()
    for title, expression in wanted.items():
        asked = expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
        if not ask(asked):
            empty.append(title)
    have = f"{len(wanted) - len(empty)} of {len(wanted)}"
    note = f" (empty: {', '.join(empty)})" if empty else ""
    value = f"{have}{note}"
    yield Row(12, "expressions of dashboard and rules that answer", value, "all", not empty)


def table(rows: list[Row], minutes: float, loads: tuple[float, float]) -> str:
    about = machine()
    on = f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}"
    begin, end = (f"{load:.1f}" for load in loads)
    lines = [
        "# Web pages: what they cost, and what they withstand",
        "",
        f"Written by `python -m benchmarks.web docs/reports/web.md --minutes {minutes:g}`,",
        f"on {on}.",
        "The product ran on the demo, 640x480 at 30 Hz, with five pictures a second per viewer;",
        f"the load of the machine was {begin} before it began, and {end} at its end (1 = one busy",
        "core). The dashboard was not opened in Grafana: Prometheus answered its expressions.",
        "",
        "| bar | what | measured | at most | |",
        "|---|---|---|---|---|",
    ]
    for number, what, value, bar, met in rows:
        mark = {True: "met", False: "**missed**", None: ""}[met]
        lines.append(f"| {number} | {what} | {value} | {bar} | {mark} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    config = settings(
        camera=CameraConfig(source="demo"),
        audio=AudioConfig(source="none"),
        web=WebConfig(bind=f"127.0.0.1:{PORT}"),
    )
    load = os.getloadavg()[0]
    rows: list[Row] = []
    with running(config) as product:
        product.until(lambda t, m: t == "health.web" and isinstance(m, HealthMessage))
        time.sleep(10)
        steps = [assets, lambda: costs(product), ages, lambda: killed(product)]
        steps += [lambda: scraped(product, options.minutes), lambda: attacked(product)]
        steps += [lambda: growth(product, options.minutes)]
        for step in steps:
            for line in step():
                print(*line, sep=" | ", flush=True)
                rows.append(line)
    text = table(sorted(rows, key=lambda r: r.number), options.minutes, (load, os.getloadavg()[0]))
    if options.report:
        options.report.write_text(text)


if __name__ == "__main__":
    main()
