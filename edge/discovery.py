"""Doors on this network, by DNS-SD (RFC 6763): say that ours is here, find the others.

Needs zeroconf, and does without it. What is found is an address, not a proof: whom to trust stands
in the key's file.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from edge import __version__

log = logging.getLogger(__name__)

SERVICE = "_emotion-edge._tcp.local."
LISTEN_S = 2.0
ANY = ("*", "0.0.0.0")


class Found(NamedTuple):
    """A device's door, as it was announced."""

    device: str
    endpoint: str
    version: str
    locked: bool


def announce(endpoint: str, device: str, locked: bool) -> Callable[[], None]:
    """Announce a door `tcp://ADDRESS:PORT` until the answer is called. Does without zeroconf."""
    try:
        import zeroconf
    except ImportError:
        log.info("not announced on the network: zeroconf is not installed")
        return lambda: None
    try:
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        info = zeroconf.ServiceInfo(
            SERVICE,
            f"{device}.{SERVICE}",
            port=int(port),
            properties={"version": __version__, "locked": str(int(locked))},
            server=f"{socket.gethostname()}.local.",
            parsed_addresses=_addresses_of(host),
        )
        responder = zeroconf.Zeroconf()
    except (OSError, ValueError, zeroconf.Error) as error:
        log.warning("not announced on the network: %s", error)
        return lambda: None
    assert responder.loop is not None
    registering = responder.async_register_service(info, allow_name_change=True)
    asyncio.run_coroutine_threadsafe(registering, responder.loop)
    return responder.close


def _addresses_of(host: str) -> list[str]:
    """IPv4 addresses of what a door is bound to: every interface, one of them, or an address."""
    import ifaddr  # zeroconf brings it

    own = [(a.name, str(ip.ip)) for a in ifaddr.get_adapters() for ip in a.ips if ip.is_IPv4]
    if host in ANY:
        return [address for _, address in own if not address.startswith("127.")]
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
