"""Camera, microphone, button, screen: the only vendor imports, made inside constructors."""

import os

OPENCV_SETTINGS = {
    "OPENCV_FOR_THREADS_NUM": "1",  # a frame is small; the other processes need the other cores
    "OPENCV_LOG_LEVEL": "OFF",  # what fails is reported once, by us
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2",  # s; else 10
}


def configure_opencv() -> None:
    """Set what OpenCV reads from the environment: call it when a process starts."""
    for name, value in OPENCV_SETTINGS.items():
        os.environ.setdefault(name, value)
