"""`make test-pi`: build the virtual Pi, install the product from a wheelhouse, boot it, and try
what a person would try; one line a check, on the terminal and in docs/reports/pi-report.md.

usage: python -m tests.pi [--folder DIR] [--only N ...] [--idle-minutes M] [--keep]
Needs root, Debian 12, and the apt and pip registries; takes its time.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.pi.checks import CHECKS, Bench
from tests.pi.machine import Pi, PiError, make_disk

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
REPORT = PROJECT / "docs" / "reports" / "pi-report.md"
SCREENSHOT = PROJECT / "docs" / "reports" / "pi-screen.png"
INSTALL_S = 5400.0
SENTENCE = "I am so happy that you are here today, this is wonderful news for all of us."
BROKEN = """

def run(config: Config, loop: Loop) -> None:
    raise RuntimeError("a release that does not work")
"""
DETECTOR = PROJECT / "models_tflite" / "face_detection_yunet_2023mar.onnx"
REPORT_TEXT = """\
# The virtual Pi: report

`make test-pi` at {commit}: a Debian 12 for aarch64 that its device tree calls a Raspberry Pi 4,
in QEMU without KVM. Times say nothing about a board. What each check tries stands in
tests/pi/checks.py.

```
{lines}
```

![The HDMI screen of the virtual Pi](pi-screen.png)
"""
SETTINGS = """\
# As the person wrote it before the first start.
device = "pi"

[gateway]
remote = "tcp://*:5557"
announce = false

[camera]
source = "/dev/video0"
rate_hz = 10.0

[audio]
source = "hw:0,1"

[audio.button]
led_pin = 27
"""


def main() -> int:
    options = parse()
    folder = options.folder.resolve()
    if not (folder / "disk.ext4").exists():
        environment = {**os.environ, "PYTHON": sys.executable}
        subprocess.run([str(HERE / "build-image.sh"), str(folder)], check=True, env=environment)
    fill_share(folder / "share", folder / "wheelhouse")
    installed = folder / "installed.qcow2"
    lines = []
    if not (options.keep and installed.exists()):
        lines.append(install(folder, installed))
    used = folder / "used.qcow2"
    used.unlink(missing_ok=True)
    make_disk(used, installed)
    pi = Pi(folder, used, folder / "share", folder / "qemu.log")
    bench = Bench(pi, folder, SCREENSHOT, options.idle_minutes * 60)
    numbers = options.only or list(CHECKS)
    try:
        if numbers[0] != 1:  # which is about powering on
            pi.power_on()
        results = [try_one(number, bench) for number in numbers]
    finally:
        pi.power_off()
    lines += [line for _, line in results]
    if not options.only:
        write_report(lines)
    return 0 if all(passed for passed, _ in results) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.pi")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build" / "pi")
    parser.add_argument("--only", type=int, nargs="+", choices=CHECKS, metavar="N")
    parser.add_argument(
        "--idle-minutes", type=float, default=60.0, metavar="M", help="by the guest's clock"
    )
    parser.add_argument("--keep", action="store_true", help="use the installed disk of before")
    return parser.parse_args()


def fill_share(share: Path, wheelhouse: Path) -> None:
    """What the guest sees as /mnt/host: checkouts, wheels, tools, a face and a voice."""
    shutil.rmtree(share, ignore_errors=True)
    shutil.copytree(HERE / "inside", share / "inside")
    shutil.copy(PROJECT / "edge" / "assets" / "astronaut.jpg", share / "inside" / "face.jpg")
    speech = str(share / "inside" / "speech.wav")
    subprocess.run(["espeak-ng", "-a", "200", "-w", speech, SENTENCE], check=True)
    shutil.copytree(wheelhouse, share / "wheelhouse", copy_function=os.link)
    if DETECTOR.exists():
        shutil.copy(DETECTOR, share / "wheelhouse")
    checkout(share / "checkout")
    checkout(share / "next", version="9.0.0")
    broken = share / "broken"
    checkout(broken, version="9.0.1")
    fusion = broken / "edge" / "services" / "fusion.py"
    fusion.write_text(fusion.read_text() + BROKEN)


def checkout(to: Path, version: str | None = None) -> None:
    """The project's files, as a clone has them; `version`: another one than it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, to / name)
    if version is not None:
        package = to / "edge" / "__init__.py"
        package.write_text(re.sub('(?<=__version__ = ").*(?=")', version, package.read_text()))


def install(folder: Path, disk: Path) -> str:
    """Boot the bare system once and run install.sh in it, twice; the second changes nothing."""
    disk.unlink(missing_ok=True)
    pi = Pi(folder, disk, folder / "share", folder / "qemu.log")
    started_s = time.monotonic()
    try:
        pi.power_on()
        pi.ssh("mkdir -p /etc/emotion-edge")
        pi.write("/etc/emotion-edge/config.toml", SETTINGS)
        command = "cd /mnt/host/checkout && deploy/install.sh --wheelhouse /mnt/host/wheelhouse"
        first = pi.ssh(command, timeout_s=INSTALL_S).stdout
        (folder / "install.log").write_text(first)
        second = pi.ssh(command, timeout_s=INSTALL_S).stdout
    finally:
        pi.power_off()
    if "nothing to do" not in second:
        raise PiError(f"the second install.sh found something to do: {second}")
    minutes = (time.monotonic() - started_s) / 60
    return say(
        True, 0, "install", f"{minutes:.0f} min, with its boot; a second run changes nothing"
    )


def try_one(number: int, bench: Bench) -> tuple[bool, str]:
    """Run a check; (passed, its line)."""
    check = CHECKS[number]
    started_s = time.monotonic()
    try:
        detail, passed = check(bench), True
    except (AssertionError, PiError) as error:
        detail, passed = " ".join(str(error).split()), False
    minutes = (time.monotonic() - started_s) / 60
    return passed, say(passed, number, check.__name__, f"{detail} ({minutes:.1f} min)")


def say(passed: bool, number: int, name: str, detail: str) -> str:
    line = f"{'pass' if passed else 'FAIL'} {number:2} {name.replace('_', ' '):15} {detail}"
    print(line, flush=True)
    return line


def write_report(lines: list[str]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True
    ).stdout.strip()
    REPORT.write_text(REPORT_TEXT.format(commit=commit, lines="\n".join(lines)))


if __name__ == "__main__":
    sys.exit(main())
