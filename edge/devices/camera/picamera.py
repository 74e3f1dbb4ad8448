"""The Raspberry Pi's own camera, through picamera2. Knows no message and no configuration."""

from typing import Any

import numpy as np

from edge.devices.camera.source import CameraError, describe
from edge.types import Image

TIMEOUT_S = 2.0


class PiCamera:
    """A CSI camera. libcamera scales, so a frame has the configured size."""

    def __init__(self, width: int, height: int, rate_hz: float) -> None:
        from picamera2 import Picamera2

        self.rate_hz = rate_hz
        self.about = describe("picamera", (width, height), rate_hz)
        try:
            self._camera: Any = Picamera2()
        except (IndexError, RuntimeError) as error:  # none attached; in use by another program
            raise CameraError(f"no Raspberry Pi camera: {error}") from error
        try:
            self._start(width, height)
        except RuntimeError as error:  # another program uses it
            self._camera.close()
            raise CameraError(f"the Raspberry Pi camera does not start: {error}") from error

    def _start(self, width: int, height: int) -> None:
        # RGB888 is libcamera's name for bytes in the order B, G, R. Without a queue a frame is
        # always newer than the call that asks for it.
        self._camera.configure(
            self._camera.create_video_configuration(
                main={"format": "RGB888", "size": (width, height)},
                controls={"FrameRate": self.rate_hz},
                queue=False,
            )
        )
        self._camera.start()

    def read(self) -> Image:
        job = self._camera.capture_array("main", wait=False)
        try:
            return np.asarray(job.get_result(timeout=TIMEOUT_S), np.uint8)
        except Exception as error:  # libcamera's timeout, and what its driver raised in the job
            raise CameraError(f"lost the Raspberry Pi camera: {error!r}") from error

    def close(self) -> None:
        self._camera.close()
