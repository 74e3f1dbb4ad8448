"""Camera sources: their kinds, cheap checks, and what is attached here.

Needs no vendor library and opens no stream; knows no message, no socket and no configuration.
"""

import fcntl
import getpass
import grp
import importlib.util
import os
import re
import shutil
import stat
import struct
import time
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from edge.errors import UserError
from edge.paths import is_file, without_credentials
from edge.types import Image

DEVICES = Path("/dev")
SYSFS = Path("/sys/class/video4linux")
URL_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")
OFF = "none"
"""The source of a device without a camera."""
KINDS = "auto, demo, none, picamera, an index, /dev/videoN, a file, a URL or a GStreamer pipeline"

# Source of the V4L2 numbers: linux/videodev2.h.
QUERY_CAPABILITY = 0x80685600
CAPABILITY = struct.Struct("16s32s32sIII12x")
"""driver, card, bus, version, capabilities of the device, capabilities of this node"""
CAN_CAPTURE = 0x1
RAW_SENSOR_DRIVERS = (b"unicam", b"rp1-cfe", b"bcm2835-isp", b"pispbe", b"tegra-video")
"""Nodes of CSI cameras that deliver raw Bayer: libcamera or Argus reads those."""
SENSOR_NAME = re.compile(r" \d+-[0-9a-f]{4}$")
"""Of sensors on I2C ("imx708 10-001a"): v4l2_i2c_subdev_init in the kernel."""


class CameraError(OSError):
    """A camera that is missing, lost or not permitted. Trying again later may help."""


class SourceError(UserError):
    """A source that can never be read. The message is one line: what, and the fix."""


class RateLimiter:
    """Keeps a source that could run ahead at its rate. No burst after a pause."""

    def __init__(self) -> None:
        self._due_s = time.monotonic()

    def wait(self, gap_s: float) -> None:
        """Return `gap_s` after the last return was due, or at once where that is long past."""
        now_s = time.monotonic()
        self._due_s += gap_s
        if now_s - self._due_s > gap_s:
            self._due_s = now_s
        time.sleep(max(0.0, self._due_s - now_s))


class Camera(Protocol):
    """An open source of frames."""

    about: str
    """What is read, in words."""
    rate_hz: float
    """The nominal rate."""

    def read(self) -> Image:
        """Wait for the next frame: (height, width, 3) uint8 BGR. Raises CameraError."""

    def close(self) -> None:
        """Release the device."""


def describe(name: str, size: tuple[float, float], rate_hz: float) -> str:
    """`about` of a camera; `size`: (w, h) px."""
    return f"{without_credentials(name)} {size[0]:.0f}x{size[1]:.0f} at {rate_hz:.3g} Hz"


def device_path(source: str) -> Path | None:
    """The device that an index ("0") or a path (/dev/videoN, /dev/v4l/...) names, else None."""
    if source.isdecimal():
        return DEVICES / f"video{int(source)}"
    return Path(source) if source.startswith(("/dev/video", "/dev/v4l/")) else None


def is_pipeline(source: str) -> bool:
    """Whether it is a GStreamer pipeline, and not a file with an exclamation mark in its name."""
    return "!" in source and not is_file(source)


def check_source(source: str) -> None:
    """Raise SourceError for what can never be read. Opens and decodes nothing.

    A missing device is accepted: it may be plugged in later.
    """
    if source in ("auto", "demo", OFF) or device_path(source) is not None:
        return
    if source == "picamera":
        _check_picamera()
    elif is_pipeline(source):
        _check_gstreamer()
    elif "://" in source:
        _check_url(source)
    else:
        _check_file(source)


def _check_picamera() -> None:
    if importlib.util.find_spec("picamera2") is None:
        raise SourceError(
            "camera source picamera: picamera2 is missing; sudo apt install python3-picamera2, "
            "and make the .venv with --system-site-packages"
        )


def _check_gstreamer() -> None:
    if shutil.which("gst-launch-1.0") is None:
        raise SourceError(
            "camera source is a GStreamer pipeline and gst-launch-1.0 is missing; "
            "sudo apt install gstreamer1.0-tools gstreamer1.0-plugins-good"
        )


def _check_url(source: str) -> None:
    try:
        parts = urlsplit(source)
        complete = bool(parts.hostname)
    except ValueError:
        complete = False
    if not complete or parts.scheme not in URL_SCHEMES:
        raise SourceError(f"camera source {source}: no such address; write rtsp://HOST/PATH")


def _check_file(source: str) -> None:
    try:
        source.encode()
        status = os.stat(source)  # noqa: PTH116 - "" must not become "."
    except UnicodeEncodeError as error:  # on which OpenCV ends the process
        raise SourceError(f"camera source {source!r}: the name is not UTF-8; rename it") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"camera source {source!r}: {reason}; give {KINDS}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"camera source {source}: not a file; give an image or a video")
    if not os.access(source, os.R_OK):
        raise SourceError(f"camera source {source}: may not be read; chmod a+r {source}")
    if not status.st_size:
        raise SourceError(f"camera source {source}: the file is empty")


def check_device(path: Path) -> None:
    """Raise CameraError with the reason and the fix where `path` cannot be opened."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except PermissionError as error:
        raise CameraError(_permission_denied(path)) from error
    except FileNotFoundError as error:
        raise CameraError(f"no camera at {path}: is it plugged in?") from error
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror}") from error


def _permission_denied(path: Path) -> str:
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
        user = getpass.getuser()
    except (OSError, KeyError):
        group, user = "video", "USER"
    return (
        f"no permission for {path}: add yourself to the group {group}: "
        f"sudo usermod -aG {group} {user}, then log in again"
    )


def find_camera(devices: Path = DEVICES, sysfs: Path = SYSFS) -> str | None:
    """The first camera that can be read: "/dev/videoN" or "picamera"; None where there is none.

    A device that we may not open counts last: opening it tells which group to join.
    """
    denied = None
    for path in sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:])):
        try:
            if _can_capture(path):
                return str(path)
        except PermissionError:
            denied = denied or str(path)
        except OSError:
            continue
    return "picamera" if _has_pi_camera(sysfs) else denied


def _can_capture(path: Path) -> bool:
    """Whether a V4L2 node delivers frames (and not metadata, encoding or raw Bayer)."""
    answer = bytearray(CAPABILITY.size)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, QUERY_CAPABILITY, answer)
    finally:
        os.close(descriptor)
    driver, *_, capabilities = CAPABILITY.unpack(answer)
    return bool(capabilities & CAN_CAPTURE) and driver.rstrip(b"\0") not in RAW_SENSOR_DRIVERS


def _has_pi_camera(sysfs: Path) -> bool:
    """Whether a CSI sensor is attached and picamera2 is there to read it."""
    names = (path.read_text().strip() for path in sysfs.glob("v4l-subdev*/name"))
    return any(map(SENSOR_NAME.search, names)) and bool(importlib.util.find_spec("picamera2"))
