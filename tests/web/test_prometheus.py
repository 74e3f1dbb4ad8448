"""The metrics in Debian's Prometheus: scraped, and asked all that dashboard and rules ask."""

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from benchmarks.web_metrics import GRAFANA, expressions, prometheus
from edge.bus.messages import SERVICES, AudioMessage, Emotion, HealthMessage
from edge.bus.pubsub import Publisher
from edge.config import Config
from tests.support.harness import publishing, wait_for
from tests.support.messages import EXAMPLES
from tests.support.web import face_of, now, request, serving, set_passwords, with_web

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="no Prometheus here: make test-web installs it",
)
SENSORS = {"soc_c": 51.0, "throttled": False}


def publish_all(bus: Publisher, stop: threading.Event) -> None:
    """A device with everything on, a sensor for its temperature, and an emotion that changes."""
    number = 0
    while not stop.wait(0.05):
        number += 1
        label = "happy" if number // 20 % 2 else "sad"
        fields = {"confidence": 0.9, "scores": {label: 0.9}, "face_age_s": 0.1}
        bus.publish("emotion", now(Emotion, emotion=label, **fields))
        bus.publish("face", face_of(number))
        if number % 20 == 1:
            for name in SERVICES:
                fields = {**EXAMPLES["health"], **(SENSORS if name == "face" else {})}
                bus.publish(f"health.{name}", now(HealthMessage, **fields))
            bus.publish("audio", now(AudioMessage, **EXAMPLES["audio"]))


@pytest.fixture
def device(with_hub: Config) -> Iterator[Config]:
    config = with_web(with_hub)
    stop = threading.Event()
    with publishing(config) as bus, serving(config):
        thread = threading.Thread(target=publish_all, args=(bus, stop))
        thread.start()
        try:
            yield config
        finally:
            stop.set()
            thread.join()


@needs_prometheus
def test_the_metrics_are_as_prometheus_wants_them(device: Config) -> None:
    wait_for(lambda: "face_seconds" in request(device, "/metrics").text, "there are metrics")
    page = request(device, "/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@needs_prometheus
def test_the_rules_are_as_prometheus_wants_them() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", GRAFANA / "alerts.yml"], capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_every_expression_of_dashboard_and_rules_is_answered(device: Config) -> None:
    wanted = {
        title: expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
        for title, expression in expressions().items()
    }
    assert len(wanted) >= 20
    with prometheus(device.web.address[1], interval_s=1) as ask:

        def unanswered() -> list[str]:
            with contextlib.suppress(OSError):  # it starts
                return [title for title, expression in wanted.items() if not ask(expression)]
            return ["all"]

        wait_for(lambda: not unanswered(), "all are answered", 60)
        assert unanswered() == []


@needs_prometheus
def test_a_token_lets_prometheus_in(with_hub: Config) -> None:
    from edge.web.secrets import Secrets

    config = with_web(with_hub, "0.0.0.0")
    set_passwords(config)
    token = config.directory / "token"
    token.write_text(Secrets(config.web_directory).new_token() + "\n")
    with serving(config):
        for file, up in ((token, "1"), (None, "0")):
            with prometheus(config.web.address[1], interval_s=1, token=file) as ask:

                def values() -> list[str]:
                    with contextlib.suppress(OSError):
                        return [result["value"][1] for result in ask("up")]
                    return []

                wait_for(lambda: values() == [up], f"up is {up}", 60)  # noqa: B023
