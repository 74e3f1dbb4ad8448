"""The flow of docs/mqtt in a real Node-RED, without a browser: `make test-ha` installs it."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.config import Config
from tests.support.bus import Bus, service
from tests.support.harness import ROOT, free_port, listening, publishing, wait_for
from tests.support.mosquitto import mosquitto, needs_mosquitto, with_broker

FOLDER = Path(os.environ.get("EMOTION_EDGE_NODE_RED", ROOT / "build" / "node-red"))
NODE_RED = FOLDER / "node_modules" / "node-red" / "red.js"
FLOW = ROOT / "docs" / "mqtt" / "node-red.json"

pytestmark = [
    needs_mosquitto,
    pytest.mark.skipif(
        not (NODE_RED.exists() and shutil.which("node")),
        reason="no Node-RED here: make test-ha installs it",
    ),
]


def test_the_flow_receives_emotions_and_records(with_hub: Config, directory: Path) -> None:
    port = free_port()
    with mosquitto(directory) as broker, publishing(with_hub) as publisher:
        flow = FLOW.read_text().replace('"1883"', f'"{broker.port}"')
        (directory / "flow.json").write_text(flow.replace("kitchen/record", "test/record"))
        output = directory / "output"
        command = ["node", NODE_RED, "-u", directory / "red", "-p", str(port)]
        with output.open("wb") as file:
            node_red = subprocess.Popen(
                [*command, directory / "flow.json"], stdout=file, stderr=file
            )
        bus = Bus(publisher)
        try:
            with (
                listening(with_hub.endpoint("out"), "press") as presses,
                service(with_broker(with_hub, broker, record=True)),
            ):
                wait_for(lambda: "Connected to broker" in output.read_text(), "Node-RED runs", 60)
                for label in ("happy", "sad", "happy", "sad"):
                    bus.faces_for(2.5, label)
                press(port)
                presses.topic("press")
        finally:
            node_red.terminate()
            node_red.wait(15)
        received = output.read_text()
    assert received.count("device: 'test'") >= 3, received
    assert "payload: 'sad'" in received


def press(port: int) -> None:
    """What a click on the button of the flow does."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/inject/ee-press",
        data=json.dumps({}).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()
