"""Tell systemd that a process is ready, alive, stopping. Silent where systemd did not start us.

Source of the protocol: sd_notify(3).
"""

import os
import socket


def notify(state: str) -> None:
    """Send e.g. "READY=1", "WATCHDOG=1" or "STOPPING=1" to the socket that systemd named."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), address.replace("@", "\0", 1))
