"""Passwords and the token: who may see the pages. Only hashes are kept.

One small file in the folder of secrets, root's on a device; its group may read it.
"""

import hashlib
import hmac
import os
import secrets
from base64 import b64decode, b64encode
from enum import IntEnum
from pathlib import Path

import msgspec

from edge.bus.keys import replace_secret
from edge.errors import ConfigError

MIN_PASSWORD = 12
MAX_PASSWORD = 200
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 5
"""16 MiB and a quarter of a second of a desktop's core: OWASP's password storage cheat sheet."""
SCRYPT_BYTES = 64 * 2**20


class Role(IntEnum):
    """What somebody may do; each may do all that those before may."""

    NOBODY = 0
    VIEWER = 1
    ADMIN = 2


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. "" = there is none."""

    salt: str
    admin: str = ""
    viewer: str = ""
    token: str = ""
    """SHA-256 of the token: 256 random bits need no slow hash."""


NO_ACCESS = Access(salt=b64encode(bytes(16)).decode())


class Secrets:
    """The file, read again whenever it changes."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "access.json"
        self._access = NO_ACCESS
        self._version: tuple[int, int] | None = None

    def read(self) -> Access:
        """What it holds now. Raises ConfigError."""
        try:
            status = self.path.stat()
            version = status.st_mtime_ns, status.st_ino
            if version != self._version:
                self._access = msgspec.json.decode(self.path.read_bytes(), type=Access)
                self._version = version
        except FileNotFoundError:
            self._access, self._version = NO_ACCESS, None
        except OSError as error:
            fix = "; run with sudo" if isinstance(error, PermissionError) else ""
            raise ConfigError(f"{self.path}: {error.strerror}{fix}") from error
        except msgspec.DecodeError as error:
            raise ConfigError(f"{self.path} is damaged; remove it, and set it again") from error
        return self._access

    def set_password(self, role: Role, password: str) -> None:
        """Replace a role's password; its sessions end. Raises ConfigError."""
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise ConfigError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        access = self._writable()
        if role_of(access, password) not in (Role.NOBODY, role):
            raise ConfigError("this is the other role's password; take another")
        name = role.name.lower()
        self._write(msgspec.structs.replace(access, **{name: hashed(password, access.salt)}))

    def new_token(self) -> str:
        """Replace the token; returns it: it is not kept. Raises ConfigError."""
        token = secrets.token_urlsafe(32)
        self._write(msgspec.structs.replace(self._writable(), token=token_hash(token)))
        return token

    def _writable(self) -> Access:
        access = self.read()
        if access.salt != NO_ACCESS.salt:
            return access
        return msgspec.structs.replace(access, salt=b64encode(os.urandom(16)).decode())

    def _write(self, access: Access) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_secret(self.path, msgspec.json.encode(access) + b"\n")
        except OSError as error:
            fix = "; run with sudo" if isinstance(error, PermissionError) else ""
            raise ConfigError(f"{self.path}: {error.strerror}{fix}") from error


def hashed(password: str, salt: str) -> str:
    """scrypt (RFC 7914) of it, in base64. Takes about a quarter of a second."""
    digest = hashlib.scrypt(
        password.encode(),
        salt=b64decode(salt),
        n=SCRYPT_N,
        r=SCRYPT_R,
        p=SCRYPT_P,
        maxmem=SCRYPT_BYTES,
        dklen=32,
    )
    return b64encode(digest).decode()


def role_of(access: Access, password: str) -> Role:
    """Whose password it is. Takes as long whatever it is."""
    digest = hashed(password, access.salt)
    is_admin, is_viewer = (hmac.compare_digest(digest, h) for h in (access.admin, access.viewer))
    return Role.ADMIN if is_admin else Role.VIEWER if is_viewer else Role.NOBODY


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
