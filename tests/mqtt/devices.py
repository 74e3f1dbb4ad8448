"""Some devices on a bus of their own, until standard input is closed: one process of a fleet.

`python -m tests.mqtt.devices CONFIG FIRST COUNT`. paho waits with select(2), which takes
descriptors below 1024: a hundred devices do not fit into one process.
"""

import contextlib
import sys
from functools import partial
from pathlib import Path

import msgspec

from edge.config import Config
from edge.config.file import load
from edge.pipeline.mqtt import identity
from edge.runtime.loop import Loop
from edge.services import hub, mqtt
from tests.support.harness import running


def serve(machine: str, config: Config, loop: Loop) -> None:
    mqtt.serve(config, loop, identity(config, machine))


def main() -> None:
    config, first, count = load(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(hub.run, config))
        for number in range(first, first + count):
            named = msgspec.structs.replace(config, device=f"device{number}")
            stack.enter_context(running(partial(serve, f"machine {number}"), named))
        sys.stdin.read()


if __name__ == "__main__":
    main()
