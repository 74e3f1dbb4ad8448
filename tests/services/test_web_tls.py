"""Certificates of the pages: of our own making, of others, and what is wrong with them."""

import contextlib
import http.client
import ssl
import time
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.config import Config
from edge.errors import ConfigError
from edge.services import web
from edge.web.certificate import (
    certificate_files,
    fingerprint,
    make_certificate,
    tls_context,
    validity,
    validity_problem,
)
from edge.web.sessions import COOKIE
from tests.support.certificates import make_authority, needs_openssl
from tests.support.certificates import make_certificate as signed
from tests.support.harness import running, wait_for
from tests.support.web import ADMIN, is_open, set_passwords, with_web

pytestmark = needs_openssl


def with_tls(config: Config, certificate: Path, key: Path) -> Config:
    return with_web(config, tls=f"{certificate} {key}")


def test_a_self_signed_certificate_serves_and_its_cookie_is_secure(with_hub: Config) -> None:
    config = with_web(with_hub, tls="self-signed")
    set_passwords(config)
    named = make_certificate(config.web_directory, ["kitchen", "kitchen.local"])
    files = certificate_files(config)
    assert files is not None and files[1].stat().st_mode & 0o777 == 0o600
    trusting = ssl.create_default_context(cafile=str(files[0]))
    with running(web.run, config):
        wait_for(lambda: is_open(config), "the pages are served")
        host, port = config.web.address
        own = f"https://{host}:{port}"
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=trusting)
        with contextlib.closing(connection):
            connection.request("GET", "/login")
            page = connection.getresponse()
            xsrf = page.headers["Set-Cookie"].partition(";")[0]
            token = page.read().decode().partition('name="_xsrf" value="')[2].partition('"')[0]
            form = f"_xsrf={token}&password={ADMIN.replace(' ', '+')}"
            kind = "application/x-www-form-urlencoded"
            headers = {"Origin": own, "Cookie": xsrf, "Content-Type": kind}
            connection.request("POST", "/login", form, headers)
            answer = connection.getresponse()
            answer.read()
            cookies = answer.headers.get_all("Set-Cookie", [])
            assert named == fingerprint(files[0].read_text())
            assert answer.status == 303
            assert any(COOKIE in cookie and "Secure" in cookie for cookie in cookies)


def test_what_speaks_no_tls_harms_nothing(with_hub: Config) -> None:
    config = with_web(with_hub, tls="self-signed")
    make_certificate(config.web_directory, ["kitchen"])
    with running(web.run, config):
        wait_for(lambda: is_open(config), "the pages are served")
        for _ in range(3):
            connection = http.client.HTTPConnection(*config.web.address, timeout=10)
            with (
                contextlib.closing(connection),
                pytest.raises((OSError, http.client.HTTPException)),
            ):
                connection.request("GET", "/")
                connection.getresponse()
        assert is_open(config)


def test_without_a_certificate_it_says_how_to_make_one(config: Config) -> None:
    with pytest.raises(ConfigError, match="emotion-edge web certificate"):
        tls_context(with_web(config, tls="self-signed"))


def test_a_key_of_another_certificate_is_refused(config: Config, tmp_path: Path) -> None:
    one, other = make_authority(tmp_path, "one"), make_authority(tmp_path, "other")
    with pytest.raises(ConfigError, match="the key is another certificate's"):
        tls_context(with_tls(config, one.cert, other.key))


def test_files_that_are_missing_or_none_are_named(config: Config, tmp_path: Path) -> None:
    good = make_authority(tmp_path)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    for cert, key in ((tmp_path / "none.pem", good.key), (good.cert, garbage), (garbage, good.key)):
        with pytest.raises(ConfigError) as caught:
            tls_context(with_tls(config, cert, key))
        assert "\n" not in str(caught.value) and "web.tls" in str(caught.value)


def test_an_expired_certificate_is_reported_and_serves(config: Config, tmp_path: Path) -> None:
    """A board without a clock battery must not lock everybody out."""
    authority = make_authority(tmp_path)
    old = with_tls(config, *signed(authority, tmp_path, days=-1))
    assert "has expired" in validity_problem(old, time.time())
    assert tls_context(old) is not None
    new = with_tls(config, *signed(authority, tmp_path, days=400))
    assert validity_problem(new, time.time()) == ""
    assert "expires soon" in validity_problem(new, time.time() + 390 * 86_400)
    assert "not valid yet" in validity_problem(new, 0)
    assert validity_problem(msgspec.structs.replace(new, web=config.web), 0) == ""


def test_the_validity_is_read_as_openssl_reads_it(tmp_path: Path) -> None:
    made = make_authority(tmp_path)
    begin_s, end_s = validity(ssl.PEM_cert_to_DER_cert(made.cert.read_text()))
    assert abs(begin_s - time.time()) < 600 and end_s - begin_s == 2 * 86_400
