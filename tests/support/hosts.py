"""Two hosts in one machine: network namespaces with a cable between them (ip-netns(8), veth(4))."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.harness import ROOT

NAMESPACES = (
    os.geteuid() == 0
    and shutil.which("ip") is not None
    and subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0
)
needs_hosts = pytest.mark.skipif(
    not NAMESPACES, reason="two hosts are two network namespaces, which need root and iproute2"
)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Host(NamedTuple):
    """A namespace, and a home folder in which its user sits."""

    name: str
    address: str
    home: Path

    def start(self, command: str) -> "subprocess.Popen[str]":
        """A shell command on this host, with `emotion-edge` in its PATH."""
        # exec: a signal reaches the command itself
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, "sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env={
                **os.environ,
                "PATH": f"{self.home.parent / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.home),
                "XDG_CONFIG_HOME": str(self.home / ".config"),
                "PYTHONPATH": str(ROOT),
            },
        )

    def link(self, state: str) -> None:
        """Plug the cable in ("up") or out ("down")."""
        ip("-n", self.name, "link", "set", "eth0", state)


@contextlib.contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """(device, other): 10.77.0.1 and .2, the device is kitchen.local to both of them."""
    device, other = (
        Host(f"ee-{role}-{os.getpid()}", address, folder / role)
        for role, address in (("device", "10.77.0.1"), ("other", "10.77.0.2"))
    )
    _write_commands(folder, device)
    with contextlib.ExitStack() as stack:
        for host in (device, other):
            host.home.mkdir()
            ip("netns", "add", host.name)
            stack.callback(ip, "netns", "delete", host.name)
            names = Path("/etc/netns") / host.name
            names.mkdir(parents=True)
            stack.callback(shutil.rmtree, names)
            (names / "hosts").write_text(f"127.0.0.1 localhost\n{device.address} kitchen.local\n")
        cable = ("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns")
        ip("-n", device.name, *cable, other.name)
        for host in (device, other):
            ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
            ip("-n", host.name, "link", "set", "lo", "up")
            host.link("up")
        yield device, other


def _write_commands(folder: Path, device: Host) -> None:
    """`emotion-edge`; an `scp` that knows the device's home and needs no server there; a `sudo`
    for root, who need not have one."""
    commands = folder / "bin"
    commands.mkdir()
    for name, line in (
        ("emotion-edge", f'exec {sys.executable} -m edge "$@"'),
        ("sudo", 'exec "$@"'),
        ("scp", f'exec cp "{device.home}/${{1#kitchen.local:}}" "$2"'),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{line}\n")
        (commands / name).chmod(0o755)
