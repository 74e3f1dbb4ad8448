"""`make test-fresh`: README's two commands, word for word, on machines that hold nothing.

Each machine is a root of Debian that mmdebstrap makes with make, git and ca-certificates. Its user
is root, somebody with sudo, or somebody without. It runs under this kernel, with this host's
resolver, proxy and certificates. Everything lies in build/fresh; the report is
docs/reports/fresh.md. Needs root.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fresh.report import write_report

PROJECT = Path(__file__).resolve().parents[2]
BUILD = PROJECT / "build" / "fresh"
SUITES, USERS = ("bookworm", "trixie"), ("root", "sudo", "plain")
HOME = "/home/somebody"
FACE_DEADLINE_S = 900.0
WATCH = "timeout 10 .venv/bin/emotion-edge watch --topic face --json --count 1"


class FreshError(Exception):
    """What did not work, and where to read on."""


class Machine:
    """A bare root and its user; what commands print is in build/fresh/SUITE-USER.log."""

    def __init__(self, root: Path, user: str, name: str) -> None:
        self.root, self.user, self.name = root, user, name
        self.log = BUILD / f"{name}.log"
        self.log.write_text("")

    def start(self, command: str, as_root: bool = False) -> "subprocess.Popen[bytes]":
        """A shell in the user's home, in a session of its own."""
        as_root = as_root or self.user == "root"
        user, home = ([], "/root") if as_root else (["--userspec=somebody:somebody"], HOME)
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home}
        with self.log.open("ab") as output:
            return subprocess.Popen(
                ["chroot", *user, self.root, "bash", "-ec", f"cd {home}\n{command}"],
                env={**environment, **network_variables()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: str, as_root: bool = False) -> tuple[bool, str]:
        """(Did it work, what it printed)."""
        before = self.log.stat().st_size
        worked = self.start(command, as_root).wait() == 0
        return worked, self.log.read_bytes()[before:].decode(errors="replace")

    def must(self, command: str, as_root: bool = False) -> str:
        worked, printed = self.run(command, as_root)
        if not worked:
            raise self.failed(command, "failed")
        return printed

    def failed(self, command: str, what: str) -> FreshError:
        return FreshError(f"{self.name}: {command.splitlines()[-1]}: {what}; see {self.log}")

    def say(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')}] {self.name}: {text}", flush=True)


def network_variables() -> dict[str, str]:
    """The host's proxy and certificates, where the environment names them."""
    pattern = re.compile(r"(?i).*(_proxy|_cert|_cert_file|_ca_bundle)")
    return {name: value for name, value in os.environ.items() if pattern.fullmatch(name)}


# ------------------------------------------------------------ the machine


def make_base(suite: str) -> Path:
    """The bare root of a Debian, which is copied for each user."""
    base = BUILD / suite
    remove(base)
    packages = "--include=make,git,ca-certificates"
    mirror = "http://deb.debian.org/debian"
    command = ["mmdebstrap", "-q", "--variant=minbase", packages, suite, base, mirror]
    subprocess.run(command, check=True)
    return base


@contextlib.contextmanager
def machine(base: Path, user: str) -> Iterator[Machine]:
    name = f"{base.name}-{user}"
    root = BUILD / name
    remove(root)
    subprocess.run(["cp", "-a", base, root], check=True)
    copy_network_settings(root)
    with mounted(root):
        this = Machine(root, user, name)
        add_user(this)
        yield this
    remove(root)


def remove(root: Path) -> None:
    subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)


@contextlib.contextmanager
def mounted(root: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", root, root], check=True)  # `ip netns` needs / to be a mount
    for place, how in (("proc", ("-t", "proc")), ("sys", ("-t", "sysfs")), ("dev", ("--rbind",))):
        subprocess.run(["mount", *how, f"/{place}", root / place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", root], check=True)


def copy_network_settings(root: Path) -> None:
    names = ("resolv.conf", "hosts", "pip.conf", "ssl/certs/ca-certificates.crt")
    apt = Path("/etc/apt/apt.conf.d").glob("*")
    files = [Path("/etc", name) for name in names]
    for path in [*files, *(path for path in apt if "Acquire::" in path.read_text())]:
        if path.is_file():
            copy = root / path.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def add_user(machine: Machine) -> None:
    """The user, and what README calls REPOSITORY-URL: this checkout as it is committed."""
    repository = machine.root / "srv" / "emotion-edge.git"
    subprocess.run(["git", "clone", "-q", "--bare", PROJECT, repository], check=True)
    if machine.user == "sudo":
        machine.must("apt-get update -qq; apt-get install -qq sudo", as_root=True)
        rule = "echo 'somebody ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/somebody"
        machine.must(rule, as_root=True)
    if machine.user != "root":
        machine.must("useradd --create-home --shell /bin/bash somebody", as_root=True)
        machine.must("chown -R somebody /srv", as_root=True)


# ----------------------------------------------------- what is tried on it


def readme_commands() -> list[str]:
    """The three lines of the first block under "Two commands"."""
    text = (PROJECT / "README.md").read_text().partition("## Two commands\n")[2]
    block = text.partition("```sh\n")[2].partition("```")[0]
    return [line for line in block.splitlines() if line]


def try_out(machine: Machine, run_only: bool) -> dict[str, object]:
    clone, run, test = readme_commands()
    before = used_mb(machine.root)
    started, cpu_before_s = time.monotonic(), children_cpu_s()
    machine.must(clone.replace("REPOSITORY-URL", "/srv/emotion-edge.git"))
    run, test = (f"cd emotion-edge\n{command}" for command in (run, test))
    if machine.user == "plain":
        run_as_root_what_is_asked_for(machine, run)
    face_s = run_until_face(machine, run) - started
    cpu_s = children_cpu_s() - cpu_before_s
    disk_mb = used_mb(machine.root) - before
    machine.say(f"a face after {face_s:.1f} s, {cpu_s:.0f} s of CPU, {disk_mb} MB of disk")
    load = round(os.getloadavg()[0], 1)
    result = {
        "face_s": round(face_s),
        "cpu_s": round(cpu_s),
        "load": load,
        "disk_mb": disk_mb,
    }
    return result if run_only else {**result, **run_tests(machine, test)}


def children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def run_as_root_what_is_asked_for(machine: Machine, command: str) -> None:
    """Without sudo the command changes nothing and prints one line for root."""
    before = checkout(machine)
    worked, printed = machine.run(command)
    lines = re.findall(r"as root: (.*)", printed)
    if worked or len(lines) != 1 or checkout(machine) != before:
        raise machine.failed(command, "did not stop, unchanged, with one line for root")
    machine.must(lines[0], as_root=True)


def checkout(machine: Machine) -> str:
    return machine.must("cd emotion-edge; git status --porcelain --ignored")


def run_until_face(machine: Machine, command: str) -> float:
    """When the demo's face was published; then it ends as with Ctrl-C."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 5556))  # else the face may be another program's
    running = machine.start(command)
    deadline = time.monotonic() + FACE_DEADLINE_S
    try:
        while '"faces":[{' not in machine.run(f"cd emotion-edge\n{WATCH}")[1]:
            if running.poll() is not None or time.monotonic() > deadline:
                raise machine.failed(command, "no face")
            time.sleep(0.5)
        return time.monotonic()
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGINT)
        running.wait(timeout=60)


def run_tests(machine: Machine, command: str) -> dict[str, object]:
    started = time.monotonic()
    if machine.user == "plain":
        run_as_root_what_is_asked_for(machine, command)
    worked, printed = machine.run(command)
    found = re.findall(r"(?m)^=* ?(\d+ .*(?:passed|failed).*?) in [\d.]+s", printed)
    tests = found[-1] if found else "no summary"
    machine.say(f"make test: {tests}")
    test_s = round(time.monotonic() - started)
    return {"green": worked, "test_s": test_s, "tests": tests}


def used_mb(root: Path) -> int:
    return int(subprocess.check_output(["du", "-sxm", root], text=True).split()[0])


def keep(path: Path, result: dict[str, object]) -> None:
    """Each figure is that of its last run: after `--run-only` the tests' are those of before."""
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | result))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make test-fresh", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*SUITES, *USERS, []], help="default: all six")
    parser.add_argument("--run-only", action="store_true", help="make run without make test")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("test-fresh: root is needed, for chroot: sudo make test-fresh")
    if not shutil.which("mmdebstrap"):
        sys.exit("test-fresh: mmdebstrap is missing; as root: apt-get install -y mmdebstrap")
    BUILD.mkdir(parents=True, exist_ok=True)
    failures = []
    for suite in [suite for suite in SUITES if suite in arguments.only] or SUITES:
        base = make_base(suite)
        for user in [user for user in USERS if user in arguments.only] or USERS:
            try:
                with machine(base, user) as bare:
                    result = try_out(bare, arguments.run_only)
                keep(BUILD / f"{bare.name}.json", result)
                if not result.get("green", True):
                    failures.append(f"{bare.name}: make test is red; see {bare.log}")
            except FreshError as failure:
                failures.append(str(failure))
        remove(base)
    write_report(BUILD, PROJECT / "docs" / "reports" / "fresh.md")
    sys.exit("\n".join(failures) or None)


main()
