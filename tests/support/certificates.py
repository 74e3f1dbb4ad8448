"""Certificate authorities and certificates of brokers, made with openssl(1)."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


class Certificate(NamedTuple):
    cert: Path
    key: Path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_authority(folder: Path, name: str = "ca") -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "2", "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.cert,
    )  # fmt: skip
    return made


def make_certificate(
    authority: Certificate, folder: Path, host: str = "IP:127.0.0.1", days: int = 2
) -> Certificate:
    """Signed for `host`, a subjectAltName. `days`: below 0 it has expired."""
    made = Certificate(folder / "broker.pem", folder / "broker.key")
    request, names = folder / "broker.csr", folder / "names"
    names.write_text(f"subjectAltName={host}\n")
    openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=broker", "-keyout", made.key, "-out", request,
    )  # fmt: skip
    sign = (
        "x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key,
        "-set_serial", "1", "-extfile", names, "-out", made.cert,
    )  # fmt: skip
    try:
        openssl(*sign, "-days", str(days))
    except subprocess.CalledProcessError:  # OpenSSL 3.5 has no days below 0, 3.0 no dates
        assert days < 0
        openssl(*sign, "-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
    return made
