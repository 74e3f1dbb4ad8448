"""What each address answers. Who may ask was decided by edge.web.gate before."""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from edge.bus.history import MAX_POINTS, History, HistoryRequest, encode
from edge.web import metrics, pages
from edge.web.history import DECISIONS
from edge.web.secrets import Access, Role, role_of
from edge.web.sessions import COOKIE, LIFETIME_S
from edge.web.site import Site

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers hide the origin of a form
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MAX_CHECKS_WAITING = 4
"""Passwords that wait for their quarter of a second."""


class Handler(RequestHandler):
    """What all have: the site, headers, errors in one line."""

    def initialize(self, site: Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")

    def page(self, name: str, **values: Any) -> None:
        """A page of templates/, with what all of them need."""
        role = self.site.gate.role(self.request)
        known = pages.common(self.site, role, self.request.path)
        self.render(f"{name}.html", kiosk=self.get_query_argument("kiosk", None) is not None,
                    **known, **values)  # fmt: skip


class Refused(Handler):
    """What the gate does not let through."""

    def initialize(self, site: Site, status: int) -> None:  # type: ignore[override]
        super().initialize(site)
        self._status = status

    def check_xsrf_cookie(self) -> None:
        pass

    def prepare(self) -> None:
        is_page = "text/html" in self.request.headers.get("Accept", "")
        if self._status == 401 and self.request.method == "GET" and is_page:
            self.redirect(f"/login?next={quote(self.request.path)}", status=303)
            return
        raise HTTPError(self._status)


class Static(StaticFileHandler):
    """Our own files, under a name that changes with them."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        for name, value in HEADERS.items():
            if name != "Cache-Control":
                self.set_header(name, value)
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_extra_headers("")
        self.finish(f"{status_code} {self._reason}\n")


class LivePage(Handler):
    def get(self) -> None:
        self.page("live", **pages.live(self.site))


class HistoryPage(Handler):
    def get(self) -> None:
        self.page("history", words=pages.words(self.site), labels=DECISIONS)


class HealthPage(Handler):
    def get(self) -> None:
        self.page("health", **pages.health(self.site))


class FindingsPage(Handler):
    async def get(self) -> None:
        self.page("findings", findings=await self.site.doctor.findings())


class SettingsPage(Handler):
    def get(self) -> None:
        self.page("settings", sections=pages.settings(self.site))


class HistoryData(Handler):
    async def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(encode(await self.site.history.get(self.wanted())))

    def wanted(self) -> HistoryRequest:
        """The span that the arguments name. Raises HTTPError."""
        now_s = time.time()
        try:
            until = float(self.get_query_argument("until", str(now_s)))
            since = float(self.get_query_argument("since", str(until - 600)))
            points = int(self.get_query_argument("points", "600"))
        except ValueError as error:
            raise HTTPError(400) from error
        if not (0 <= since < until <= now_s + 86_400 and 1 <= points <= MAX_POINTS):
            raise HTTPError(400)
        return HistoryRequest(since=since, until=until, points=points)


class HistoryTable(HistoryData):
    """The same as a table."""

    async def get(self) -> None:
        history: History = await self.site.history.get(self.wanted())
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        name = f'attachment; filename="emotion-edge-{time.strftime("%Y%m%d-%H%M%S")}.csv"'
        self.set_header("Content-Disposition", name)
        self.finish(pages.csv_of(history))


class Record(Handler):
    """What the button does."""

    def post(self) -> None:
        self.set_status(204 if self.site.record() else 409)
        self.finish()


class Metrics(Handler):
    def get(self) -> None:
        if not self.site.config.web.metrics:
            raise HTTPError(404)
        self.set_header("Content-Type", metrics.CONTENT_TYPE)
        self.finish(self.site.metrics())


class Login(Handler):
    def get(self) -> None:
        self.page("login", wrong="", next=self._next())

    async def post(self) -> None:
        address = self.request.remote_ip or ""
        if self.site.attempts.is_blocked(address) or self.site.checking >= MAX_CHECKS_WAITING:
            self.set_status(429)
            self.set_header("Retry-After", "60")
            self.page("login", wrong=self.site.text("web.login.too_many"), next=self._next())
            return
        self.site.attempts.add(address)
        access = self.site.secrets.read()
        role = await self._role(access, self.get_body_argument("password", "")[:1000])
        if role is Role.NOBODY:
            self.set_status(401)
            self.page("login", wrong=self.site.text("web.login.wrong"), next=self._next())
            return
        self.site.attempts.take_back(address)
        name = self.site.sessions.start(role, access)
        self.set_cookie(
            COOKIE, name, httponly=True, samesite="Strict", secure=self._is_encrypted(),
            max_age=int(LIFETIME_S),
        )  # fmt: skip
        self.redirect(self._next(), status=303)

    def _is_encrypted(self) -> bool:
        """As the browser sees it: a proxy in front may do TLS. The gate has checked the origin."""
        origin = self.request.headers.get("Origin", "")
        return self.request.protocol == "https" or origin.startswith("https://")

    async def _role(self, access: Access, password: str) -> Role:
        """Checked on a thread: pictures go on. One at a time, as each takes 16 MiB."""
        self.site.checking += 1
        try:
            async with self.site.check_lock:
                return await asyncio.to_thread(role_of, access, password)
        finally:
            self.site.checking -= 1

    def _next(self) -> str:
        """Where to go then: a page of ours."""
        wanted = self.get_argument("next", "/")
        is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
        return wanted if is_ours and wanted.isprintable() else "/"


class Logout(Handler):
    def post(self) -> None:
        self.site.sessions.end(self.get_cookie(COOKIE) or "")
        self.site.close_ended()
        self.clear_cookie(COOKIE)
        self.redirect("/login", status=303)


STATIC = Path(__file__).parent / "static"
PAGES: dict[str, type[Handler]] = {
    "/": LivePage,
    "/history": HistoryPage,
    "/history.json": HistoryData,
    "/history.csv": HistoryTable,
    "/health": HealthPage,
    "/findings": FindingsPage,
    "/settings": SettingsPage,
    "/record": Record,
    "/metrics": Metrics,
    "/login": Login,
    "/logout": Logout,
}
