"""The pages of the whole product, and the commands that let people in."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.config import Config
from edge.errors import ExitCode
from edge.web.secrets import Role, Secrets, role_of
from tests.support.certificates import needs_openssl
from tests.support.harness import ROOT, wait_for, write_config
from tests.support.product import product
from tests.support.web import ADMIN, is_open, request, seq_of, until, watch, with_web


def command(config: Config, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    file = write_config(config, config.directory / "config.json")
    return subprocess.run(
        [sys.executable, "-m", "edge", "web", *arguments, "--config", str(file)],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_the_product_shows_its_picture_with_the_faces_of_that_frame(config: Config) -> None:
    config = with_web(config)
    with product(config):
        wait_for(lambda: is_open(config), "the pages are served", 60)
        seen = watch(
            config, lambda live: until(live, lambda packet: bool(packet.values.get("face")))
        )
        assert seen.values["face"]["frame_size"] == [640, 480]
        seen = watch(config, lambda live: until(live, lambda packet: bool(packet.jpeg)))
        assert seq_of(seen.jpeg) >= 0 and request(config, "/metrics").status == 200


def test_a_password_is_set_from_stdin_and_a_short_one_is_not(config: Config) -> None:
    config = with_web(config)
    done = command(config, "password", given=f"{ADMIN}\n")
    assert done.returncode == 0 and ADMIN not in done.stdout + done.stderr
    assert done.stdout == "the admin's password is set\n"
    again = command(config, "password", given=f"{ADMIN}\n")
    assert again.stdout.endswith("is set; who used the old one is logged out\n")
    assert role_of(Secrets(config.web_directory).read(), ADMIN) is Role.ADMIN
    for arguments, given in ((("password",), "short\n"), (("password", "--viewer"), f"{ADMIN}\n")):
        refused = command(config, *arguments, given=given)
        assert refused.returncode == ExitCode.BAD_CONFIG and refused.stderr.count("\n") == 1
    assert role_of(Secrets(config.web_directory).read(), ADMIN) is Role.ADMIN


def test_a_token_is_printed_once_and_kept_as_a_hash(config: Config) -> None:
    config = with_web(config)
    token = command(config, "token").stdout.strip()
    assert len(token) >= 40 and token not in (config.web_directory / "access.json").read_text()


@needs_openssl
def test_a_certificate_is_made_and_its_fingerprint_printed(config: Config) -> None:
    done = command(with_web(config), "certificate")
    assert done.returncode == 0 and "SHA-256 " in done.stdout
    assert Path(with_web(config).web_directory, "key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("bind", "why"),
    [("0.0.0.0:8081", "emotion-edge web password"), ("no-such-host.invalid:8081", "no-such-host")],
)
def test_an_address_that_cannot_be_served_ends_with_78_and_one_line(
    config: Config, bind: str, why: str
) -> None:
    config = with_web(config, bind=bind)
    if "invalid" in bind:
        Secrets(config.web_directory).set_password(Role.ADMIN, ADMIN)
    done = command(config)
    assert done.returncode == ExitCode.BAD_CONFIG
    assert why in done.stderr and done.stderr.strip().count("\n") == 0
