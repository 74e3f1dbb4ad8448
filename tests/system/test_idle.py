"""An SD card lives as long as it is not written to: at idle nothing is."""

import os
from pathlib import Path

import pytest

from edge.bus.messages import SERVICES
from tests.support.product import Product

SETTLED, SECONDS = 3, 5
"""One health of the hub comes a second."""


def written_bytes(pid: int) -> int:
    """What a process has sent towards a disk since its start. proc_pid_io(5)"""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def open_for_writing(pid: int) -> list[Path]:
    """The regular files that a process could write to now."""
    files = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = link.readlink()
        flags = next(
            int(line.split()[1], 8)
            for line in Path(f"/proc/{pid}/fdinfo/{link.name}").read_text().splitlines()
            if line.startswith("flags:")
        )
        if flags & (os.O_WRONLY | os.O_RDWR) and target.is_file():
            files.append(target)
    return files


def test_the_count_of_written_bytes_tells_of_a_write(tmp_path: Path) -> None:
    before = written_bytes(os.getpid())
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(100_000))
        os.fsync(file.fileno())
    if written_bytes(os.getpid()) == before:
        pytest.skip(f"{tmp_path} is in memory")
    assert written_bytes(os.getpid()) >= before + 100_000


def test_at_idle_no_process_writes_to_a_disk_or_says_anything(running: Product) -> None:
    assert running.process.stderr is not None
    errors = running.process.stderr.fileno()
    pids = [running.process.pid, *(running.pid(name) for name in SERVICES)]
    os.set_blocking(errors, False)
    running.listener.until(lambda topic, m: topic == "health.face" and m.state == "ok")  # type: ignore
    for _ in range(SETTLED):
        running.listener.topic("health.hub")
    read_all(errors)
    before = [written_bytes(pid) for pid in pids]
    for _ in range(SECONDS):
        running.listener.topic("health.hub")
    assert [written_bytes(pid) for pid in pids] == before
    assert read_all(errors) == b""
    assert not running.config.recordings_directory.exists()  # the recorder is off


def test_no_process_keeps_a_file_open_for_writing_but_in_the_runtime_folder(
    running: Product,
) -> None:
    for pid in [running.process.pid, *(running.pid(name) for name in SERVICES)]:
        elsewhere = [
            path
            for path in open_for_writing(pid)
            if path.parent not in (running.config.directory, Path("/dev/shm"))
        ]
        assert elsewhere == [], pid


def read_all(descriptor: int) -> bytes:
    """What waits in a pipe."""
    data = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except BlockingIOError:
            return data
        if not part:
            return data
        data += part
