"""Authorised subscribers of other hosts: the device's key, and one public key a subscriber.

A folder of small files: `device.key` (secret, 0600) and NAME.pub for each subscriber. The keys are
CURVE's, in Z85 text (rfc.zeromq.org/spec/32). Knows files and no socket.

The service's folder is root's, and its group may read it. Nothing here trusts a name twice: what is
opened is what is written, read and given away, so a link that is put in between leads nowhere.
"""

import logging
import os
import re
import stat
from pathlib import Path

import msgspec
import zmq

from edge.errors import UserError

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
KEY_LENGTH = 40
"""Characters of a Z85 key."""
MAX_KEY_FILE_BYTES = 1024


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
        self._ignored: frozenset[str] = frozenset()

    def exist(self) -> bool:
        """Whether the device has its key. Raises KeysError where that cannot be seen."""
        try:
            return self._device.exists()
        except OSError as error:
            raise _refused(self.directory, error) from error

    def secret(self) -> bytes:
        """The device's secret key. Raises KeysError."""
        return self._pair()[1]

    def public(self) -> str:
        """The device's public key. Raises KeysError."""
        return self._pair()[0].decode()

    def _pair(self) -> tuple[bytes, bytes]:
        """(public, secret)"""
        try:
            secret = _read(self._device)
            return zmq.curve_public(secret), secret
        except OSError as error:
            raise _refused(self._device, error) from error
        except (ValueError, zmq.ZMQError) as error:
            raise KeysError(
                f"{self._device} is damaged; remove the folder, and add all subscribers again"
            ) from error

    def make(self) -> bool:
        """Make the device's key; False where there was one. Raises KeysError."""
        if self.exist():
            return False
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_secret(self._device, zmq.curve_keypair()[1] + b"\n")
        except OSError as error:
            raise _refused(self.directory, error) from error
        return True

    def add(self, name: str, device: str) -> SubscriberKey:
        """Authorise a new subscriber; returns its file's content. Raises KeysError."""
        path = self._path(name)
        if path.exists():
            raise KeysError(f"there is a {name} already; `emotion-edge keys remove {name}` first")
        self.make()
        server = self.public()
        public, secret = (key.decode() for key in zmq.curve_keypair())
        try:
            replace_secret(path, public.encode() + b"\n")
        except OSError as error:
            raise _refused(path, error) from error
        return SubscriberKey(name, device, server, public, secret)

    def export(self, key: SubscriberKey, path: Path | None) -> None:
        """Write a subscriber's new file, or print it where `path` is None.

        Raises KeysError; then the subscriber is not authorised either.
        """
        content = msgspec.json.format(msgspec.json.encode(key)) + b"\n"
        try:
            if path is None:
                print(content.decode(), end="", flush=True)
            else:
                write_secret(path, content, _sudo_caller())
        except OSError as error:
            self.remove(key.name)
            raise KeysError(
                f"{path or 'output'}: {error.strerror}; {key.name} was not added"
            ) from error

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
        """Public key -> name of every subscriber. Raises KeysError where it cannot be read.

        What is no key costs the others nothing: it is logged once, and ignored.
        """
        try:
            files = [file for file in self.directory.iterdir() if file.suffix == ".pub"]
        except OSError as error:
            raise _refused(self.directory, error) from error
        allowed, ignored = {}, set()
        for file in files:
            try:
                allowed[_read_public(file)] = file.stem
            except (OSError, ValueError) as error:
                ignored.add(f"{file}: {getattr(error, 'strerror', None) or error}; ignored")
        for line in sorted(ignored - self._ignored):
            log.warning("%s", line)
        self._ignored = frozenset(ignored)
        return allowed

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise KeysError(f"{name!r} cannot be a subscriber's name: use letters, digits, - _ .")
        return self.directory / f"{name}.pub"


def replace_secret(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for who may read its folder: root keeps a service's.

    Raises OSError.
    """
    folder = path.parent.stat()
    root = os.geteuid() == 0
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    write_secret(
        new,
        content,
        (folder.st_uid, folder.st_gid) if root else None,
        0o600 | (folder.st_mode & 0o040 if root and folder.st_uid == 0 else 0),
    )
    new.rename(path)


def write_secret(
    path: Path, content: bytes, owner: tuple[int, int] | None = None, mode: int = 0o600
) -> None:
    """Write a new file that nobody else can read, not even for a moment. Raises OSError.

    `owner`: its user and group, None = whoever runs this. There must be no such file or link yet.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)  # a power cut leaves all of it, or nothing
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes:
    """A small file's content, without waiting for a FIFO's. Raises OSError, ValueError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        return file.read(MAX_KEY_FILE_BYTES).strip()


def _read_public(path: Path) -> str:
    """A subscriber's public key. Raises OSError, ValueError."""
    key = _read(path).decode("ascii", "replace")
    if len(key) != KEY_LENGTH or not key.isascii():
        raise ValueError("no public key")
    if not path.stem.isprintable():
        raise ValueError("a name that cannot be printed")
    return key


def _sudo_caller() -> tuple[int, int] | None:
    """(user, group) of who called sudo, and must be able to read and copy the file."""
    caller, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and caller.isdecimal() and group.isdecimal():
        return int(caller), int(group)
    return None


def _refused(path: Path, error: OSError) -> KeysError:
    if isinstance(error, FileNotFoundError):
        return KeysError(f"{path}: there are no keys yet; run `emotion-edge keys make`")
    fix = "; run with sudo" if isinstance(error, PermissionError) else ""
    return KeysError(f"{path}: {error.strerror}{fix}")
