"""`uninstall.sh --purge` leaves no ghost: on a copy of this machine that is thrown away."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.config import Config
from tests.support.bus import service
from tests.support.harness import ROOT
from tests.support.mosquitto import client, guarded, needs_mosquitto, password_file, with_broker

COPY = """
folder=$1 script=$2; shift 2
mount -t tmpfs tmpfs "$folder"
cd "$folder"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
for each in /proc /dev "$@"; do mkdir -p "root$each"; mount --rbind "$each" "root$each"; done
exec chroot root sh -euc "$script"
"""
INSTALLED = """
mkdir -p /opt/emotion-edge/current/venv/bin /etc/emotion-edge /etc/credstore.encrypted
cat >/opt/emotion-edge/current/venv/bin/emotion-edge <<END
#!/bin/sh
cd {root}
exec {python} -m edge "\\$@" --config /etc/emotion-edge/config.toml
END
chmod +x /opt/emotion-edge/current/venv/bin/emotion-edge
cat >/etc/emotion-edge/config.toml <<END
device = "test"
mqtt = {{ broker = "{broker}", user = "test"{more} }}
END
umask 077
{password}
{root}/deploy/uninstall.sh --purge
"""
FILE = "printf secret >/etc/emotion-edge/password"
ENCRYPT = "systemd-creds encrypt --with-key=host - /etc/credstore.encrypted/mqtt-password"


def can_copy() -> bool:
    mounted = "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && mount -t overlay o /mnt"
    mounted += " -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", mounted], capture_output=True)
    return done.returncode == 0


@needs_mosquitto
@pytest.mark.root
@pytest.mark.parametrize(
    ("password", "more"),
    [(FILE, ', password_file = "password"'), (f"printf secret | {ENCRYPT}", "")],
    ids=["file", "systemd"],
)
def test_purged_it_leaves_nothing_at_the_broker(
    with_hub: Config, directory: Path, tmp_path: Path, password: str, more: str
) -> None:
    if not can_copy():
        pytest.skip("no overlayfs over / here")
    if "systemd-creds" in password and not shutil.which("systemd-creds"):
        pytest.skip("no systemd-creds here")
    with guarded(directory, {"test": "secret", "watcher": "open"}) as broker:
        file = password_file(directory, "secret")
        with (
            client(broker, "#", "watcher", "open") as watcher,
            service(with_broker(with_hub, broker, user="test", password_file=file)),
        ):
            watcher.until("health/mqtt")
        script = INSTALLED.format(
            root=ROOT,
            python=sys.executable,
            broker=f"mqtt://{broker.host}:{broker.port}",
            more=more,
            password=password,
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-euc", COPY, "sh", tmp_path, script, ROOT, sys.prefix],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and "are removed from" in done.stdout, done
        with client(broker, "#", "watcher", "open") as later:
            later.publish("last", b"")
            later.until("last")
            assert [m.topic for m in later.received if m.retained] == []
