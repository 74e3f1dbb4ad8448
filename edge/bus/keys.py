"""Authorised subscribers of other hosts: the device's key, and one public key a subscriber.

A folder of small files: `device.key` (secret, 0600) and NAME.pub for each subscriber. The keys are
CURVE's, in Z85 text (rfc.zeromq.org/spec/32). Knows files and no socket.
"""

import os
import re
from pathlib import Path

import msgspec
import zmq

from edge.errors import UserError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
KEY_LENGTH = 40
"""Characters of a Z85 key."""


class KeysError(UserError):
    """A key that cannot be made, read or removed. The message is one line with the fix."""


class SubscriberKey(msgspec.Struct, frozen=True):
    """A subscriber's file: who it is, and which device it trusts. It is a secret."""

    name: str
    device: str
    """The device's name, for people."""
    server: str
    """The device's public key."""
    public: str
    secret: str


def read_key(path: Path) -> SubscriberKey:
    """Read what `emotion-edge keys add` wrote. Raises KeysError."""
    try:
        key = msgspec.json.decode(path.read_bytes(), type=SubscriberKey)
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise KeysError(
            f"{path}: no subscriber's key; `emotion-edge keys add NAME` on the device makes one"
        ) from error
    if any(len(text) != KEY_LENGTH for text in (key.server, key.public, key.secret)):
        raise KeysError(f"{path}: a damaged key; add a new one on the device")
    return key


class Keys:
    """The device's folder of keys."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._device = directory / "device.key"

    def exist(self) -> bool:
        """Whether the device has its key. Raises KeysError where that cannot be seen."""
        try:
            return self._device.exists()
        except OSError as error:
            raise _refused(self.directory, error) from error

    def secret(self) -> bytes:
        """The device's secret key. Raises KeysError."""
        try:
            return self._device.read_bytes().strip()
        except OSError as error:
            raise _refused(self._device, error) from error

    def public(self) -> str:
        """The device's public key. Raises KeysError."""
        return zmq.curve_public(self.secret()).decode()

    def make(self) -> bool:
        """Make the device's key; False where there was one. Raises KeysError."""
        if self.exist():
            return False
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._device, zmq.curve_keypair()[1])
        except OSError as error:
            raise _refused(self.directory, error) from error
        return True

    def add(self, name: str, device: str) -> SubscriberKey:
        """Authorise a new subscriber; returns its file's content. Raises KeysError."""
        path = self._path(name)
        if path.exists():
            raise KeysError(f"there is a {name} already; `emotion-edge keys remove {name}` first")
        self.make()
        public, secret = (key.decode() for key in zmq.curve_keypair())
        try:
            self._write(path, public.encode())
        except OSError as error:
            raise _refused(path, error) from error
        return SubscriberKey(name, device, self.public(), public, secret)

    def export(self, key: SubscriberKey, path: Path | None) -> None:
        """Write a subscriber's file, or print it where `path` is None. Raises KeysError."""
        content = msgspec.json.format(msgspec.json.encode(key)) + b"\n"
        if path is None:
            print(content.decode(), end="")
            return
        try:
            write_secret(path, content)
            _chown_to_sudo_caller(path)
        except OSError as error:
            self.remove(key.name)
            raise KeysError(f"{path}: {error.strerror}; {key.name} was not added") from error

    def remove(self, name: str) -> None:
        """Revoke a subscriber's key; the gateway sees it within a second. Raises KeysError."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            known = ", ".join(sorted(self.allowed().values())) or "nobody"
            raise KeysError(f"no subscriber is called {name}; there is {known}") from None
        except OSError as error:
            raise _refused(self._path(name), error) from error

    def allowed(self) -> dict[str, str]:
        """Public key -> name of every subscriber. Raises KeysError where it cannot be read."""
        try:
            files = [file for file in self.directory.iterdir() if file.suffix == ".pub"]
            return {file.read_text("ascii", "replace").strip(): file.stem for file in files}
        except OSError as error:
            raise _refused(self.directory, error) from error

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise KeysError(f"{name!r} cannot be a subscriber's name: use letters, digits, - _ .")
        return self.directory / f"{name}.pub"

    def _write(self, path: Path, content: bytes) -> None:
        """Whole or not at all, for the folder's owner alone: root may keep a service's keys."""
        new = path.with_name(f".{path.name}.new")
        write_secret(new, content + b"\n")
        if os.geteuid() == 0:
            owner = self.directory.stat()
            os.chown(new, owner.st_uid, owner.st_gid)
        new.rename(path)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else can read, not even for a moment. Raises OSError."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)  # a power cut leaves all of it, or nothing


def _chown_to_sudo_caller(path: Path) -> None:
    """Who called sudo must be able to read and copy the file."""
    caller, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and caller.isdecimal() and group.isdecimal():
        os.chown(path, int(caller), int(group), follow_symlinks=False)


def _refused(path: Path, error: OSError) -> KeysError:
    if isinstance(error, FileNotFoundError):
        return KeysError(f"{path}: there are no keys yet; run `emotion-edge keys make`")
    fix = "; run with sudo" if isinstance(error, PermissionError) else ""
    return KeysError(f"{path}: {error.strerror}{fix}")
