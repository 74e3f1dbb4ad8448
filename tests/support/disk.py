"""A disk of its own: ext4 in a file, on a loop device, that can be filled, broken and repaired."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.support.harness import PATIENCE_S

SIZE_BYTES = 24 * 1024 * 1024


def execute(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Disk:
    """Mounted at `folder`. Skips the test where nothing may be mounted."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "disk"
        self.folder.mkdir()
        self._image = work / "image"
        with self._image.open("wb") as file:
            file.truncate(SIZE_BYTES)
        try:
            execute("mkfs.ext4", "-q", "-F", self._image)
            self._mount()
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no loop device can be mounted: {error}")

    def _mount(self) -> None:
        options = "loop,noatime,errors=remount-ro"
        execute("mount", "-o", options, self._image, self.folder)

    def fill(self) -> None:
        """To the last block."""
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65_536)):
                    pass
            except OSError:
                return

    def empty(self) -> None:
        (self.folder / "ballast").unlink()

    def fail(self) -> None:
        """As after an error of the card: the kernel has it read-only, whoever has files open."""
        device = Path(execute("findmnt", "-no", "SOURCE", self.folder)).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")

    def repair(self) -> None:
        """As a restart does, but for those who still have files of it open."""
        execute("umount", "-l", self.folder)
        copy = self._image.with_name("repaired")
        copy.write_bytes(self._image.read_bytes())
        self._image = copy
        subprocess.run(["e2fsck", "-fy", copy], capture_output=True, check=False)
        self._mount()

    def close(self) -> None:
        """With a lazy unmount as the last means."""
        deadline_s = time.monotonic() + PATIENCE_S
        while subprocess.run(["umount", self.folder], capture_output=True).returncode:
            if time.monotonic() > deadline_s:
                execute("umount", "-l", self.folder)
                return
            time.sleep(0.1)
