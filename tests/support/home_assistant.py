"""A real Home Assistant in the system that tests/mqtt/build-root.sh builds, and its REST API."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.harness import ROOT, free_port, wait_for
from tests.support.mosquitto import Mosquitto

BUILD = Path(os.environ.get("EMOTION_EDGE_HA", ROOT / "build" / "ha"))
START_S = 300.0
THEN = "2026-01-01T00:00:00+00:00"
JWT_KEY = "tests"
CHROOT = """
for folder in proc dev; do mount --rbind /$folder "$1/$folder"; done
mkdir -p "$1/conf"
mount --bind "$2" "$1/conf"
exec chroot "$1" /ha/bin/hass -c /conf --skip-pip
"""


def is_built() -> bool:
    return os.geteuid() == 0 and (BUILD / ".complete").exists()


class HomeAssistant:
    """One installation, with the MQTT integration set up and one user."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / ".storage").mkdir(parents=True)
        (folder / "configuration.yaml").write_text(
            f"http:\n  server_port: {port}\n  server_host: 127.0.0.1\n"
            "api:\nrecorder:\n  commit_interval: 1\nlogger:\n  default: warning\n"
        )
        self._store("core.config_entries", 5, {"entries": [mqtt_entry(broker)]})
        self._store("auth", 1, ONE_USER)

    def _store(self, key: str, minor: int, data: dict[str, Any]) -> None:
        stored = {"version": 1, "minor_version": minor, "key": key, "data": data}
        (self.folder / ".storage" / key).write_text(json.dumps(stored))

    def add(self, settings: str) -> None:
        """Lines of configuration.yaml, before it starts."""
        with (self.folder / "configuration.yaml").open("a") as file:
            file.write(settings)

    def start(self) -> None:
        """Returns at once; its birth is published when it is up."""
        command = ["unshare", "--mount", "sh", "-euc", CHROOT, "sh", BUILD / "root", self.folder]
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def call(self, path: str, data: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self._url + path,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"Bearer {token()}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def until_up(self) -> None:
        def is_up() -> bool:
            assert self.process is not None and self.process.poll() is None, self.output()[-2000:]
            with contextlib.suppress(OSError):
                return self.call("/api/config")["state"] == "RUNNING"
            return False

        wait_for(is_up, "Home Assistant runs", START_S)

    def states(self, device: str = "") -> dict[str, str]:
        """{entity: state}, of those whose id has `device` in it."""
        return {
            one["entity_id"]: one["state"]
            for one in self.call("/api/states")
            if device in one["entity_id"]
        }

    def state(self, entity: str) -> dict[str, Any]:
        return self.call(f"/api/states/{entity}")

    def output(self) -> str:
        return (self.folder / "output").read_text("utf-8", "replace")

    def mqtt_warnings(self) -> list[str]:
        """Lines of its mqtt component, but for a broker that we stopped."""
        return [
            line
            for line in self.output().splitlines()
            if "components.mqtt" in line
            and ("WARNING" in line or "ERROR" in line)
            and "connection was lost" not in line
        ]

    def database_bytes(self) -> int:
        """Pages in use, also those that are in the log alone so far."""
        pages, free, size = (
            self._query(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def rows(self) -> int:
        """How many states it has stored."""
        return self._query("SELECT count(*) FROM states")

    def _query(self, sql: str) -> int:
        file = f"file:{self.folder}/home-assistant_v2.db?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
            return int(database.execute(sql).fetchone()[0])


def mqtt_entry(broker: Mosquitto) -> dict[str, Any]:
    return {
        "created_at": THEN, "modified_at": THEN, "domain": "mqtt", "title": "broker",
        "data": {"broker": broker.host, "port": broker.port}, "options": {"discovery": True},
        "entry_id": "01TESTS", "version": 1, "minor_version": 2, "source": "user",
        "unique_id": None, "disabled_by": None, "discovery_keys": {}, "subentries": [],
        "pref_disable_new_entities": False, "pref_disable_polling": False,
    }  # fmt: skip


ONE_USER = {
    "users": [
        {
            "id": "user", "group_ids": ["system-admin"], "is_owner": True, "is_active": True,
            "name": "tests", "system_generated": False, "local_only": False,
        }
    ],
    "groups": [
        {"id": f"system-{name}", "name": name} for name in ("admin", "users", "read-only")
    ],
    "credentials": [],
    "refresh_tokens": [
        {
            "id": "token", "user_id": "user", "client_id": None, "client_name": "tests",
            "client_icon": None, "token_type": "long_lived_access_token", "created_at": THEN,
            "access_token_expiration": 3e8, "token": "0", "jwt_key": JWT_KEY,
            "last_used_at": None, "last_used_ip": None, "expire_at": None,
            "credential_id": None, "version": "2026.2.3",
        }
    ],
}  # fmt: skip


def token() -> str:
    """A long-lived access token, as Home Assistant signs it (JWT, HS256)."""

    def part(content: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")

    now = int(time.time())
    text = part({"alg": "HS256", "typ": "JWT"}) + b"."
    text += part({"iss": "token", "iat": now - 60, "exp": now + 10**6})
    signature = hmac.new(JWT_KEY.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@contextlib.contextmanager
def home_assistant(folder: Path, broker: Mosquitto) -> Iterator[HomeAssistant]:
    made = HomeAssistant(folder, broker)
    try:
        yield made
    finally:
        made.stop()
