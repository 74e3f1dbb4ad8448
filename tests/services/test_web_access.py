"""Who may see the pages, and what other websites cannot make a browser do."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from tornado.httpclient import HTTPClientError

from edge.bus.messages import Message, RecordingMessage
from edge.config import Config
from edge.errors import ConfigError
from edge.services import web
from edge.web.handlers import PAGES
from edge.web.secrets import Role, Secrets
from tests.support.harness import listening, publishing, running, wait_for
from tests.support.messages import example
from tests.support.web import (
    ADMIN,
    VIEWER,
    Browser,
    next_packet,
    now,
    opened,
    origin,
    request,
    serving,
    set_passwords,
    watch,
    with_web,
)

SECRETS = ("kitchen-7", "happy", "0.1.0", "TornadoServer")
HTML = "text/html"


@pytest.fixture
def local(with_hub: Config) -> Iterator[Browser]:
    """Pages that only this host can reach, without a password."""
    with serving(with_web(with_hub)) as browser:
        yield browser


@pytest.fixture
def lan(with_hub: Config) -> Iterator[Browser]:
    """Pages that other hosts can reach."""
    config = with_web(msgspec.structs.replace(with_hub, device="kitchen-7"), "0.0.0.0")
    set_passwords(config)
    with serving(config) as browser:
        yield browser


def raw(config: Config, text: str) -> bytes:
    with socket.create_connection(("127.0.0.1", config.web.address[1]), 5) as connection:
        connection.sendall(text.encode())
        connection.settimeout(5)
        return connection.recv(65_536)


@pytest.mark.parametrize(
    "name",
    ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "8.8.8.8", "localhost.evil.test",
     "[::ffff:8.8.8.8]", "a@127.0.0.1"],
)  # fmt: skip
def test_a_name_that_is_not_the_devices_is_misdirected(local: Browser, name: str) -> None:
    for path in ("/", "/metrics", "/static/live.js", "/login", "/nothing"):
        answer = local.get(path, Host=name)
        assert answer.status in (421, 400) and b"Emotion" not in answer.body


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "LOCALHOST:8080", "test", "test.local",
                                  "localhost."])  # fmt: skip
def test_the_devices_own_names_are_answered(local: Browser, name: str) -> None:
    assert local.get("/", Host=name).status == 200


def test_further_names_come_from_the_settings(with_hub: Config) -> None:
    config = with_web(with_hub, hosts=["home.example"])
    set_passwords(config)
    with serving(config) as browser:
        assert browser.get("/login", Host="home.example").status == 200
        assert browser.get("/login", Host="office.example").status == 421


def test_no_host_and_two_hosts_are_bad_requests(local: Browser) -> None:
    config = local.config
    assert b" 400 " in raw(config, "GET / HTTP/1.0\r\n\r\n")
    assert b" 400 " in raw(config, "GET / HTTP/1.1\r\n\r\n")
    two = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n"
    assert b" 400 " in raw(config, two)


def test_other_websites_start_no_recording(local: Browser) -> None:
    token, own = local.token, origin(local.config)
    form = {"Content_Type": "application/x-www-form-urlencoded", "Cookie": local.cookie}
    with (
        listening(local.config.endpoint("out"), "press") as presses,
        publishing(local.config) as bus,
    ):
        for _ in range(10):
            bus.publish("recording", now(RecordingMessage, phase="idle"))
            time.sleep(0.02)
        for sent in (
            {"Origin": "http://evil.test"},
            {"Origin": "http://evil.test", "X_XSRFToken": token},
            {"Origin": "null", "X_XSRFToken": token},
            {"Origin": own.replace("127.0.0.1", "localhost"), "X_XSRFToken": token},
            {"Origin": f"{own}.evil.test", "X_XSRFToken": token},
            {"Origin": own[:-1], "X_XSRFToken": token},
            {"X_XSRFToken": token},
            {"Origin": own},
            {"Origin": own, "X_XSRFToken": "2|00000000|00|0"},
        ):
            answer = request(local.config, "/record", "POST", "", **{**form, **sent})
            assert answer.status == 403, sent
        assert not presses.subscriber.socket.poll(300)
        right = {"Origin": own, "X_XSRFToken": token, **form}
        wait_for(lambda: request(local.config, "/record", "POST", "", **right).status == 204, "")
        presses.topic("press")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_do_nothing(local: Browser, method: str) -> None:
    assert request(local.config, "/record", method).status in (403, 405)
    assert request(local.config, "/record", method, Origin=origin(local.config)).status in (
        403,
        405,
    )


@pytest.mark.parametrize("sender", ["http://evil.test", "null", "http://127.0.0.1:1", ""])
def test_a_socket_of_another_website_is_refused(local: Browser, sender: str) -> None:
    async def attempt() -> None:
        with pytest.raises(HTTPClientError) as refused:
            await opened(local.config, origin_=sender)
        assert refused.value.code == 403

    asyncio.run(attempt())


def test_no_page_can_be_framed_or_run_foreign_scripts(local: Browser) -> None:
    script = local.get("/").text.partition('src="/static/')[2].partition('"')[0]
    for path in (*PAGES, f"/static/{script}", "/static/public/base.css", "/nothing"):
        headers = local.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff" and "Server" not in headers
    for path in ("/", "/history", "/health", "/settings", "/login"):
        text = local.get(path).text
        assert not re.search(r"<[^>]+\s(?:style|on\w+)=", text)
        assert all('src="/static/' in s or "application/json" in s
                   for s in re.findall(r"<script[^>]*>", text))  # fmt: skip


def test_a_proxy_in_front_of_pages_without_a_password_is_refused(local: Browser) -> None:
    for header in ("X_Forwarded_For", "Forwarded", "X_Real_IP"):
        assert local.get("/", **{header: "10.0.0.1"}).status == 403


def test_without_login_no_route_gives_anything_away(lan: Browser) -> None:
    with publishing(lan.config) as bus:
        bus.publish("health.face", now_health())
        names = ("live.js", "live.css", "nothing.js", "public/../live.js", "public/%2e%2e/live.js")
        files = [f"/static/{name}" for name in names]
        for path in (*PAGES, "/live", "/nothing", "/static/../handlers.py", *files):
            answer = request(lan.config, path)
            expected = 200 if path == "/login" else 401
            assert answer.status == expected, path
            assert not [s for s in SECRETS if s in answer.text], path
            page = request(lan.config, path, Accept=HTML)
            assert page.status == (200 if path == "/login" else 303)
            assert not [s for s in SECRETS if s in page.text + str(page.headers)], path


def now_health() -> Message:
    return example("health.face")


def test_without_login_no_socket_opens(lan: Browser) -> None:
    async def attempt() -> None:
        with pytest.raises(HTTPClientError) as refused:
            await opened(lan.config)
        assert refused.value.code == 401

    asyncio.run(attempt())


def test_the_login_page_shows_the_laws_notice(lan: Browser) -> None:
    assert "AI Act" in lan.get("/login").text


def test_a_viewer_looks_and_an_admin_records(lan: Browser) -> None:
    answer = lan.login(VIEWER)
    assert answer.status == 303 and answer.headers["Location"] == "/"
    page = lan.get("/").text
    assert 'id="record"' not in page and "/settings" not in page
    assert lan.get("/settings").status == 403 and lan.get("/health").status == 200
    assert lan.post("/record").status == 403
    watch(lan.config, next_packet, lan.cookie)
    admin = Browser(lan.config)
    admin.login(ADMIN)
    assert 'id="record"' in admin.get("/").text and admin.get("/settings").status == 200
    assert admin.post("/record").status == 409


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(lan: Browser) -> None:
    cookies = lan.login(ADMIN).headers.get_all("Set-Cookie")
    session = next(c for c in cookies if "session" in c)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(re.split("; ?", session))
    assert "Secure" not in session  # without TLS it could not come back


def test_a_session_ends_with_logout_and_its_live_page_with_it(lan: Browser) -> None:
    lan.login(VIEWER)
    before = lan.cookie

    async def look(live: Any) -> None:
        await next_packet(live)
        assert (await asyncio.to_thread(lan.post, "/logout")).status == 303
        while await asyncio.wait_for(live.read_message(), 10) is not None:
            pass

    watch(lan.config, look, before)
    assert request(lan.config, "/", Cookie=before).status == 401


def test_a_new_password_ends_the_sessions_of_the_old_one_and_no_others(lan: Browser) -> None:
    lan.login(ADMIN)
    viewer = Browser(lan.config)
    viewer.login(VIEWER)
    Secrets(lan.config.web_directory).set_password(Role.ADMIN, "a very new password")
    assert lan.get("/").status == 401 and viewer.get("/").status == 200
    assert lan.login(ADMIN).status == 401
    assert lan.login("a very new password").status == 303


def test_five_wrong_passwords_a_minute_and_no_more(lan: Browser) -> None:
    assert [lan.login(f"wrong number {n}").status for n in range(7)] == [401] * 5 + [429] * 2
    assert lan.login(ADMIN).status == 429
    assert int(lan.post("/login", {"password": "x"}).headers["Retry-After"]) == 60


def test_wrong_passwords_at_once_are_counted_too(lan: Browser) -> None:
    async def attempt() -> list[int]:
        tries = [asyncio.to_thread(lan.login, f"wrong number {n}") for n in range(12)]
        return sorted(answer.status for answer in await asyncio.gather(*tries))

    assert asyncio.run(attempt()).count(401) <= 5


def test_the_way_back_leads_to_our_own_pages_only(lan: Browser) -> None:
    for wanted, given in (("/history", "/history"), ("//evil.test", "/"), ("/\\evil.test", "/"),
                          ("https://evil.test", "/"), ("javascript:x", "/")):  # fmt: skip
        answer = lan.post("/login", {"password": ADMIN, "next": wanted})
        assert answer.headers["Location"] == given


def test_metrics_are_for_who_has_the_token(lan: Browser) -> None:
    token = Secrets(lan.config.web_directory).new_token()
    assert request(lan.config, "/metrics").status == 401
    assert request(lan.config, "/metrics", Authorization="Bearer wrong").status == 401
    answer = request(lan.config, "/metrics", Authorization=f"Bearer {token}")
    assert answer.status == 200 and "emotion_edge_service_up" in answer.text
    assert request(lan.config, "/", Authorization=f"Bearer {token}").status == 401
    later = Secrets(lan.config.web_directory).new_token()
    assert later != token
    assert request(lan.config, "/metrics", Authorization=f"Bearer {token}").status == 401


def test_a_local_page_needs_a_login_once_there_is_a_password(with_hub: Config) -> None:
    config = with_web(with_hub)
    set_passwords(config)
    with serving(config) as browser:
        assert browser.get("/").status == 401
        browser.login(VIEWER)
        assert browser.get("/").status == 200


def test_the_address_of_everything_takes_both_families(with_hub: Config) -> None:
    config = with_web(with_hub, "[::]")
    set_passwords(config)
    with serving(config) as browser:
        assert browser.get("/login").status == 200
        with socket.socket(socket.AF_INET6) as client:
            try:
                client.connect(("::1", config.web.address[1]))
            except OSError:
                pytest.skip("no IPv6 here")
            client.sendall(b"GET /login HTTP/1.1\r\nHost: [::1]\r\n\r\n")
            assert b" 200 " in client.recv(1000)


def test_a_password_that_is_removed_opens_nothing_to_a_proxys_visitors(with_hub: Config) -> None:
    config = with_web(with_hub, hosts=["home.example"])
    set_passwords(config)
    with serving(config) as browser:
        (config.web_directory / "access.json").unlink()
        assert browser.get("/").status == 401


@pytest.mark.parametrize("bind", ["0.0.0.0:8081", "[::]:8081", "192.168.1.7:8081"])
def test_other_hosts_do_not_come_in_without_a_password(with_hub: Config, bind: str) -> None:
    config = with_web(with_hub, bind=bind)
    with pytest.raises(ConfigError, match="emotion-edge web password"), running(web.run, config):
        time.sleep(1)


def test_passwords_are_kept_as_hashes_and_for_their_owner_alone(config: Config) -> None:
    config = with_web(config)
    secrets = Secrets(config.web_directory)
    secrets.set_password(Role.ADMIN, ADMIN)
    secrets.set_password(Role.VIEWER, VIEWER)
    file = config.web_directory / "access.json"
    assert file.stat().st_mode & 0o777 == 0o600 and file.stat().st_uid == os.geteuid()
    assert ADMIN not in file.read_text() and VIEWER not in file.read_text()


def test_another_site_can_ask_nothing_but_to_show_a_page(local: Browser) -> None:
    sent = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    for path in ("/findings", "/history.json", "/"):
        assert local.get(path, **sent).status == 403
    assert local.get("/", **{**sent, "Sec_Fetch_Mode": "navigate"}).status == 200


def test_a_path_with_a_zero_byte_is_no_path(lan: Browser) -> None:
    assert lan.get("/static/public/base.css%00").status == 400
