"""Remote endpoints on this network, by DNS-SD (RFC 6763): announce ours, find the others.

Optional: needs zeroconf. What is found is an address, not a proof: whom to trust is in the key's
file.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edge import __version__

if TYPE_CHECKING:
    from zeroconf import Zeroconf

log = logging.getLogger(__name__)
logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # what it logs it raises, too

SERVICE = "_emotion-edge._tcp.local."
LISTEN_S = 2.0
REFRESH_S = 5.0
"""How often the addresses are looked at."""
ANY = ("*", "0.0.0.0")


class Found(NamedTuple):
    """A device's remote endpoint, as it was announced."""

    device: str
    endpoint: str
    version: str
    encrypted: bool


def announce(endpoint: str, device: str, encrypted: bool) -> Callable[[], None]:
    """Announce an endpoint `tcp://ADDRESS:PORT` until the returned function is called.

    Where the network comes later, goes, or gives another address, that is announced. Without
    zeroconf it does nothing.
    """
    try:
        import zeroconf  # noqa: F401
    except ImportError:
        log.info("not announced on the network: zeroconf is not installed")
        return lambda: None
    stopped = threading.Event()
    announcement = _Announcement(endpoint, device, encrypted)
    thread = threading.Thread(target=announcement.keep, args=(stopped,), daemon=True)
    thread.start()

    def stop() -> None:
        stopped.set()
        thread.join()

    return stop


class _Announcement:
    """Keeps one endpoint announced at the addresses that there are; in a thread, for it waits."""

    def __init__(self, endpoint: str, device: str, encrypted: bool) -> None:
        self._host, _, self._port = endpoint.removeprefix("tcp://").rpartition(":")
        self._device, self._encrypted = device, encrypted
        self._addresses: list[str] = []
        self._responder: Zeroconf | None = None

    def keep(self, stopped: threading.Event) -> None:
        """Announce, anew where the addresses change, until it is stopped."""
        from zeroconf import Error

        warned = ""
        while True:
            try:
                self._renew(_addresses_of(self._host))
            except (OSError, ValueError, Error) as error:
                reason = getattr(error, "strerror", None) or str(error)
                if reason != warned:
                    warned = reason
                    log.warning("not announced on the network: %s", warned)
            if stopped.wait(REFRESH_S):
                break
        self._renew([])

    def _renew(self, addresses: list[str]) -> None:
        if addresses == self._addresses:
            return
        if self._responder is not None:
            self._responder.close()
        self._addresses, self._responder = [], None
        if addresses:
            self._responder = self._respond(addresses)
            self._addresses = addresses

    def _respond(self, addresses: list[str]) -> "Zeroconf":
        import asyncio

        from zeroconf import ServiceInfo, Zeroconf

        info = ServiceInfo(
            SERVICE,
            f"{self._device}.{SERVICE}",
            port=int(self._port),
            properties={"version": __version__, "locked": str(int(self._encrypted))},
            server=f"{socket.gethostname()}.local.",
            parsed_addresses=addresses,
        )
        responder = Zeroconf()
        assert responder.loop is not None
        registering = responder.async_register_service(info, allow_name_change=True)
        asyncio.run_coroutine_threadsafe(registering, responder.loop)
        return responder


def _addresses_of(host: str) -> list[str]:
    """IPv4 addresses of what an endpoint is bound to: every interface, one of them, or an address.

    Raises OSError for a name that is not known.
    """
    import ifaddr  # zeroconf brings it

    own = [(a.name, str(ip.ip)) for a in ifaddr.get_adapters() for ip in a.ips if ip.is_IPv4]
    if host in ANY:
        return sorted(address for _, address in own if not address.startswith("127."))
    return [address for name, address in own if name == host] or [socket.gethostbyname(host)]


def find(listen_s: float = LISTEN_S) -> list[Found]:
    """Devices that answer within `listen_s`. Raises ImportError without zeroconf, OSError."""
    from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

    names: set[str] = set()

    def on_change(name: str, state_change: ServiceStateChange, **_: object) -> None:
        if state_change is ServiceStateChange.Added:
            names.add(name)

    with Zeroconf() as zeroconf:
        ServiceBrowser(zeroconf, SERVICE, handlers=[on_change])
        time.sleep(listen_s)
        answers = [(name, zeroconf.get_service_info(SERVICE, name)) for name in sorted(names)]
    return [
        Found(
            name.removesuffix(f".{SERVICE}"),
            f"tcp://{info.parsed_addresses()[0]}:{info.port}",
            (info.decoded_properties.get("version") or "?"),
            info.decoded_properties.get("locked") == "1",
        )
        for name, info in answers
        if info is not None and info.parsed_addresses()
    ]
