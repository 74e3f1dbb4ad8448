import subprocess
import sys
import time

import pytest

from edge.bus import BusError
from edge.client import subscribe
from edge.config import Config
from edge.messages import Emotion
from tests.helpers import ROOT, free_port, publishing


def emotion() -> Emotion:
    return Emotion(
        t_ns=time.monotonic_ns(), time=time.time(), emotion="happy", confidence=0.9, scores={}
    )


def test_a_subscriber_gets_the_topics_that_it_asked_for(with_hub: Config) -> None:
    with publishing(with_hub) as publisher:
        sent = publisher.publish("emotion", emotion())
        topic, message = next(subscribe(with_hub.bus.bind, ["emotion"], timeout_s=10))
    assert (topic, message) == ("emotion", sent)


def test_silence_is_told_apart_from_waiting() -> None:
    nobody = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(TimeoutError, match="nothing came"):
        next(subscribe(nobody, timeout_s=0.1))


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(BusError, match="nonsense"):
        next(subscribe("nonsense"))


def test_a_subscriber_needs_pyzmq_and_msgspec_only() -> None:
    code = "import edge.client, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert {"zmq", "msgspec"} <= loaded
    assert not loaded & {"numpy", "cv2", "scipy", "soundfile", "PIL", "gpiozero", "pyaudio"}


def test_the_readmes_five_lines_receive(with_hub: Config) -> None:
    text = (ROOT / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    assert "tcp://127.0.0.1:5556" in code
    code = code.replace("tcp://127.0.0.1:5556", with_hub.bus.bind)
    process = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
    with process, publishing(with_hub) as publisher:
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line.startswith('emotion {"type":"emotion"')
