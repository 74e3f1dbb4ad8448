"""Cameras: V4L2, libcamera, GStreamer, files, URLs and the demo, each opened by its name."""

from edge.devices.camera.source import (
    Camera,
    CameraError,
    check_device,
    check_source,
    device_path,
    find_camera,
    is_pipeline,
)


def open_camera(source: str, width: int, height: int, rate_hz: float, rotate: int = 0) -> Camera:
    """Open `source` (see KINDS); frames above `width` x `height` px are scaled down to fit.

    `rate_hz` is asked of a device, and is the rate of an image and of the demo; a video has its
    own. `rotate`: 0, 90, 180 or 270 degrees clockwise, after the scaling. Raises CameraError where
    trying again may help, SourceError where it cannot.
    """
    camera = _open_upright(source, width, height, rate_hz)
    if not rotate:
        return camera
    from edge.devices.camera.rotated import RotatedCamera

    return RotatedCamera(camera, rotate)


def _open_upright(source: str, width: int, height: int, rate_hz: float) -> Camera:
    check_source(source)
    if source == "auto":
        source = find_camera() or ""
        if not source:
            raise CameraError("no camera found: plug one in, or set camera.source (say, to demo)")
    if source == "demo":
        from edge.devices.camera.demo import DemoCamera

        return DemoCamera(width, height, rate_hz)
    if source == "picamera":
        from edge.devices.camera.picamera import PiCamera

        return PiCamera(width, height, rate_hz)
    if is_pipeline(source):
        from edge.devices.camera.gstreamer import GStreamerCamera

        return GStreamerCamera(source, width, height, rate_hz)
    from edge.devices.camera import opencv

    path = device_path(source)
    if path is not None:
        check_device(path)
        return opencv.V4L2Camera(path, width, height, rate_hz)
    return opencv.open_media(source, width, height, rate_hz)
