"""The recorder on a disk that fails: health says so, nothing else notices, it goes on by itself."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge.bus.messages import FACE_LABELS, FaceMessage, FaceResult, HealthMessage
from edge.bus.pubsub import Publisher
from edge.bus.recordings import Span
from edge.config import Config, RecorderConfig
from edge.recordings import days
from edge.recordings.source import Source
from edge.recordings.table import Table
from edge.services import recorder
from tests.support.disk import Disk
from tests.support.harness import Listener, listening, publishing, running, wait_for
from tests.support.recordings import face_message

pytestmark = pytest.mark.root
SCORES = dict.fromkeys(FACE_LABELS, 1 / 7)


@pytest.fixture
def disk(directory: Path) -> Iterator[Disk]:
    disk = Disk(directory)
    yield disk
    disk.close()


@pytest.fixture
def kept(with_hub: Config, disk: Disk) -> Config:
    settings = RecorderConfig(keep_days=3, flush_s=5, directory=str(disk.folder / "kept"))
    return msgspec.structs.replace(with_hub, recorder=settings)


class Faces(threading.Thread):
    """One at 20 Hz, all the time."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__(daemon=True)
        self._publisher = publisher
        self._ended = threading.Event()

    def run(self) -> None:
        known = {"emotion": "happy", "confidence": 0.5, "scores": SCORES}
        while not self._ended.wait(0.05):
            face = FaceResult(id=1, box=(1.0, 2.0, 30.0, 40.0), **known)  # type: ignore[arg-type]
            self._publisher.publish("face", face_message(time.monotonic_ns(), face))

    def stop(self) -> None:
        self._ended.set()
        self.join()


@pytest.fixture
def health(kept: Config) -> Iterator[Listener]:
    """What the bus carries, while the recorder runs and faces come."""
    with (
        running(recorder.run, kept),
        publishing(kept) as publisher,
        listening(kept.endpoint("out"), "health.recorder", "face") as listener,
    ):
        faces = Faces(publisher)
        faces.start()
        listener.until(lambda _, m: is_well(m))
        wait_for(lambda: seconds_of(kept) != [], "rows in the file")
        yield listener
        faces.stop()


def is_well(message: object) -> bool:
    return isinstance(message, HealthMessage) and message.state == "ok" and message.recording_data


def reports(listener: Listener, what: str) -> None:
    """Waits for it in health; and faces go on meanwhile and afterwards."""
    message = listener.until(lambda t, m: t != "face" and what in m.detail)  # type: ignore
    assert isinstance(message, HealthMessage) and message.state == "degraded"
    listener.until(lambda _, m: isinstance(m, FaceMessage) and m.t_ns > message.t_ns)


def seconds_of(config: Config) -> list[float]:
    """All that were kept, with a face."""
    with closing(Source(config)) as source:
        lines = Table(None).lines(source.chunks(Span()))
        return [line.t for line in lines if line.kind == "face"]


def goes_on(config: Config, listener: Listener) -> None:
    """It is well again, and keeps seconds that come from now on."""
    listener.until(lambda _, m: is_well(m))
    now_s = time.time()
    wait_for(lambda: seconds_of(config)[-1:] > [now_s], "rows of what came since")


def test_of_a_disk_that_is_full_for_a_while_no_second_is_lost(
    kept: Config, disk: Disk, health: Listener
) -> None:
    disk.fill()
    reports(health, "the disk is full")
    time.sleep(3.0)
    disk.empty()
    goes_on(kept, health)
    seconds = seconds_of(kept)
    assert seconds == [seconds[0] + n for n in range(len(seconds))]


def test_a_disk_that_the_kernel_makes_read_only_is_reported_and_used_again_once_repaired(
    kept: Config, disk: Disk, health: Listener
) -> None:
    before = seconds_of(kept)
    disk.fail()
    reports(health, "the disk is read-only")
    disk.repair()
    health.until(lambda t, m: t != "face" and m.recording_data)  # type: ignore
    now_s = time.time()
    wait_for(lambda: seconds_of(kept)[-1:] > [now_s], "rows of what came since")
    assert {*before} <= {*seconds_of(kept)}


@pytest.mark.parametrize(
    ("bad", "report"),
    [(None, "was removed or replaced"), (b"garbage" * 1000, "was broken; it is kept as")],
    ids=["removed", "garbage"],
)
def test_a_file_that_is_removed_or_replaced_is_reported_and_a_new_one_begun(
    kept: Config, health: Listener, bad: bytes | None, report: str
) -> None:
    (file,) = days.days_in(kept.recordings_directory)
    if bad is None:
        file.unlink()
    else:
        replacement = file.with_name("other")
        replacement.write_bytes(bad)
        replacement.replace(file)
    reports(health, report)
    health.until(lambda t, m: t != "face" and m.recording_data)  # type: ignore
    now_s = time.time()
    wait_for(lambda: seconds_of(kept)[-1:] > [now_s], "rows of what came since")


def test_a_file_that_is_written_over_with_garbage_is_set_aside(
    kept: Config, health: Listener
) -> None:
    (file,) = days.days_in(kept.recordings_directory)
    with file.open("r+b") as opened:
        opened.write(b"\xa5" * 4096)
    reports(health, "was broken; it is kept as")
    now_s = time.time()
    wait_for(lambda: seconds_of(kept)[-1:] > [now_s], "rows of what came since")
    assert [*kept.recordings_directory.glob("*.broken-*")] != []
