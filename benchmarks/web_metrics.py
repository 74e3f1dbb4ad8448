"""Debian's Prometheus beside the product: what it scrapes, against what was on the bus."""

import json
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.product import Product
from edge.bus.messages import Emotion
from edge.web.board import label_of

PORT = 21_880
GRAFANA = Path(__file__).resolve().parents[1] / "deploy" / "grafana"


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


def get(path: str, port: int = PORT) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return bytes(answer.read())


@contextmanager
def prometheus(
    port: int, interval_s: int = 5, token: Path | None = None
) -> Iterator[Callable[[str], list[Any]]]:
    """A real one that scrapes the pages at `port`; gives a function that queries it."""
    own_port = free_port()
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
            f"--web.listen-address=127.0.0.1:{own_port}", "--log.level=error",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield partial(query, own_port)
        finally:
            process.terminate()
            process.wait()


def query(port: int, expression: str) -> list[Any]:
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    return list(json.loads(get(path, port))["data"]["result"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
