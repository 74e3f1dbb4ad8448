"""TLS: the certificate that is used, one of our own making, and until when it holds."""

import calendar
import hashlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edge.bus.keys import replace_secret
from edge.config import SELF_SIGNED, Config
from edge.errors import ConfigError

DAYS = 3650
SOON_S = 14 * 86_400.0
"""So long before its end a certificate is reported."""
OPENSSL = (
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
)
UTC_TIME, VERSION = 0x17, 0xA0
"""Tags of DER (ITU-T X.690)."""


def certificate_files(config: Config) -> tuple[Path, Path] | None:
    """(certificate, key); None without TLS."""
    if not config.web.tls:
        return None
    if config.web.tls == SELF_SIGNED:
        return config.web_directory / "certificate.pem", config.web_directory / "key.pem"
    certificate, key = config.web.tls.split()
    return Path(certificate), Path(key)


def tls_context(config: Config) -> ssl.SSLContext | None:
    """For `web.tls`; None without TLS. Raises ConfigError."""
    files = certificate_files(config)
    if files is None:
        return None
    if config.web.tls == SELF_SIGNED and not files[0].exists():
        fix = "run `emotion-edge web certificate` (with sudo on a device)"
        raise ConfigError(f"web.tls: there is no certificate yet; {fix}")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in files:
        try:
            file.open("rb").close()
        except OSError as error:
            raise ConfigError(f"web.tls: {file}: {error.strerror}") from error
    try:
        context.load_cert_chain(*files)
    except ssl.SSLError as error:
        is_other = "KEY_VALUES_MISMATCH" in (error.reason or "")
        why = "the key is another certificate's" if is_other else f"{error.reason or error}"
        raise ConfigError(f"web.tls: {files[0]} and {files[1]}: {why}") from error
    return context


def make_certificate(directory: Path, names: list[str]) -> str:
    """Write certificate.pem and key.pem for these host names; returns its SHA-256 fingerprint.

    Raises ConfigError.
    """
    if shutil.which("openssl") is None:
        raise ConfigError("openssl is not installed; sudo apt install openssl")
    alternatives = ",".join([*(f"DNS:{name}" for name in names), "IP:127.0.0.1"])
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command: list[str | Path] = [
            *OPENSSL, "-days", str(DAYS), "-subj", f"/CN={names[0][:64]}",
            "-addext", f"subjectAltName={alternatives}", "-keyout", key, "-out", certificate,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(f"openssl: {done.stderr.strip().splitlines()[-1]}")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_secret(directory / "key.pem", key.read_bytes())
            replace_secret(directory / "certificate.pem", certificate.read_bytes())
        except OSError as error:
            fix = "; run with sudo" if isinstance(error, PermissionError) else ""
            raise ConfigError(f"{directory}: {error.strerror}{fix}") from error
        return fingerprint(certificate.read_text())


def fingerprint(pem: str) -> str:
    """As browsers show it: SHA-256, "AB:CD:..."."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()


def own_host_names(config: Config) -> list[str]:
    """What the certificate is for: plain names only."""
    host = socket.gethostname()
    names = [host, f"{host.partition('.')[0]}.local", "localhost", *config.web.hosts]
    return list(dict.fromkeys(name for name in names if not name.startswith("[")))


def validity_problem(config: Config, now_s: float) -> str:
    """What is wrong with the certificate's time, or soon; "" = nothing. `now_s`: Unix time."""
    files = certificate_files(config)
    if files is None:
        return ""
    begin_s, end_s = validity(ssl.PEM_cert_to_DER_cert(first_certificate(files[0].read_text())))
    if now_s < begin_s:
        return f"{files[0]} is not valid yet, or this clock is wrong"
    if now_s > end_s:
        return f"{files[0]} has expired, or this clock is wrong"
    return f"{files[0]} expires soon" if end_s - now_s < SOON_S else ""


def first_certificate(pem: str) -> str:
    """Of a chain, the server's own."""
    head = "-----BEGIN CERTIFICATE-----"
    _, _, rest = pem.partition(head)
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    return f"{head}{body}{end}"


def validity(der: bytes) -> tuple[float, float]:
    """(not before, not after) of an X.509 certificate, Unix s. RFC 5280, 4.1."""
    tbs = next(elements(next(elements(der))[1]))[1]
    fields = [field for field in elements(tbs) if field[0] != VERSION]
    times = fields[3][1]  # serial number, algorithm, issuer, validity
    begin, end = (unix_time(tag, text) for tag, text in elements(times))
    return begin, end


def elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each element."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        yield tag, der[at : at + length]
        at += length


def unix_time(tag: int, text: bytes) -> float:
    """Of UTCTime or GeneralizedTime. A UTCTime's year is between 1950 and 2049."""
    digits = text.decode("ascii").rstrip("Z")
    if tag == UTC_TIME:
        digits = ("20" if digits < "50" else "19") + digits
    return float(calendar.timegm(time.strptime(digits, "%Y%m%d%H%M%S")))
