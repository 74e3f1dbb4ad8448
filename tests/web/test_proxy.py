"""The pages behind the reverse proxies of docs/web.md, whose lines are taken word for word."""

import contextlib
import http.client
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.config import Config
from edge.web.sessions import COOKIE, MAX_WRONG
from tests.support.certificates import make_authority, make_certificate, needs_openssl
from tests.support.harness import ROOT, free_port, listening, wait_for
from tests.support.web import ADMIN, Answer, is_open, serving, set_passwords, with_web
from tests.web.test_browser import Device, needs_browser, tab, until_pictured

pytestmark = needs_openssl
NAME = "emotions.example"
UPSTREAM = "127.0.0.1:8080"
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
NGINX = """
daemon off; pid {folder}/pid; worker_processes 1; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2; server_name {name};
    ssl_certificate {certificate.cert}; ssl_certificate_key {certificate.key};
    {lines}
  }}
}}
"""
CADDY = """
{{
  admin off
  https_port {port}
  local_certs
  skip_install_trust
  auto_https disable_redirects
  storage file_system {folder}
}}
{lines}
"""


def documented(language: str) -> str:
    """The block of docs/web.md in this language."""
    found = re.findall(rf"(?s)```{language}\n(.*?)```", (ROOT / "docs" / "web.md").read_text())
    assert len(found) == 1
    return str(found[0])


def command_of(kind: str, folder: Path, port: int, lines: str) -> list[str]:
    """What starts a proxy with these lines, at a port, with TLS."""
    values: dict[str, Any] = {"folder": folder, "port": port, "name": NAME, "lines": lines}
    if kind == "caddy":
        (folder / "Caddyfile").write_text(CADDY.format(**values))
        return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    certificate = make_certificate(make_authority(folder), folder, f"DNS:{NAME}")
    (folder / "nginx.conf").write_text(NGINX.format(**values, certificate=certificate))
    return ["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]


@pytest.fixture(params=["nginx", "caddy"])
def proxied(request: Any, with_hub: Config, tmp_path: Path) -> Iterator["Proxied"]:
    """A device behind a proxy, as documented."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} here: make test-web installs it")
    config, port = with_web(with_hub, hosts=[NAME]), free_port()
    set_passwords(config)
    lines = documented(request.param)
    assert UPSTREAM in lines
    lines = lines.replace(UPSTREAM, config.web.bind)
    tmp_path.chmod(0o755)
    command = command_of(request.param, tmp_path, port, lines)
    with (
        Device(config),
        serving(config),
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        try:
            page = Proxied(config, port)
            wait_for(page.is_open, "the proxy answers", 60)
            yield page
        finally:
            process.terminate()
            process.communicate()


class Proxied:
    """A client of the proxy; keeps cookies."""

    def __init__(self, config: Config, port: int) -> None:
        self.config = config
        self.port = port
        self.host = f"{NAME}:{port}"
        self.origin = f"https://{self.host}"
        self.cookies: dict[str, str] = {}
        self.trust = ssl._create_unverified_context()

    def is_open(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("/login").status == 200
        return False

    def request(self, path: str, fields: dict[str, str] | None = None, **sent: str) -> Answer:
        """GET, or POST with `fields`. `sent`: headers, _ for -."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Host": self.host, "Origin": self.origin, "Cookie": cookies}
        headers |= {name.replace("_", "-"): value for name, value in sent.items()}
        connection = Connection(self.port, self.trust)
        with contextlib.closing(connection):
            if fields is None:
                connection.request("GET", path, headers=headers)
            else:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
                connection.request("POST", path, urlencode(fields), headers)
            answer = connection.getresponse()
            for value in answer.headers.get_all("Set-Cookie", []):
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]
            return Answer(answer.status, answer.headers, answer.read())

    def login(self, password: str, **sent: str) -> Answer:
        token = re.search(r'name="_xsrf" value="([^"]+)"', self.request("/login").text)
        assert token
        return self.request("/login", {"_xsrf": token[1], "password": password}, **sent)


class Connection(http.client.HTTPSConnection):
    """To the proxy on this host, under its name."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", port, timeout=30, context=trust)
        self._trust = trust

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=NAME)


def test_a_login_gives_a_secure_cookie_that_opens_the_pages(proxied: Proxied) -> None:
    assert proxied.request("/").status == 401
    answer = proxied.login(ADMIN)
    assert answer.status == 303
    cookie = next(c for c in answer.headers.get_all("Set-Cookie", []) if COOKIE in c)
    assert "Secure" in cookie and "HttpOnly" in cookie
    for path in ("/", "/history", "/history.json", "/health", "/settings"):
        assert proxied.request(path).status == 200


def test_other_names_and_other_sites_are_refused_behind_it(proxied: Proxied) -> None:
    proxied.login(ADMIN)
    assert "Emotion" not in proxied.request("/", Host="evil.test").text
    for origin in ("https://evil.test", "null", f"https://{NAME}", ""):
        assert proxied.request("/record", {"a": "b"}, Origin=origin).status == 403
        assert proxied.request("/live", Origin=origin, **UPGRADE).status == 403
    assert proxied.request("/live", **UPGRADE).status == 101


def test_a_header_that_anyone_can_send_is_no_way_around_the_limit(proxied: Proxied) -> None:
    """All who come through the proxy are one client: what they say of themselves counts nothing."""

    def status(number: int) -> int:
        told = {"X_Forwarded_For": f"10.0.0.{number}", "X_Real_IP": f"10.0.1.{number}"}
        return proxied.login(f"wrong number {number}", **told).status

    assert [status(number) for number in range(MAX_WRONG + 2)] == [401] * MAX_WRONG + [429] * 2
    assert proxied.login(ADMIN, X_Forwarded_For="10.9.9.9").status == 429


@needs_browser
@pytest.mark.browser
def test_a_browser_logs_in_looks_and_records_through_it(proxied: Proxied, browser: Any) -> None:
    with (
        listening(proxied.config.endpoint("out"), "press") as presses,
        tab(browser, proxied.config, "/", proxied.origin, ignore_https_errors=True) as page,
    ):
        page.wait_for_selector("#password")
        page.fill("#password", ADMIN)
        page.keyboard.press("Enter")
        page.wait_for_selector("#picture", timeout=60_000)
        until_pictured(page)
        page.wait_for_selector("#pulse[data-state=live]", timeout=60_000)
        page.click("#record:enabled", timeout=60_000)
        assert presses.topic("press").trigger == "command"  # type: ignore[attr-defined]
        page.click("text=Log out")
        page.wait_for_selector("#password", timeout=60_000)
        assert page.problems == [] and is_open(proxied.config)
