"""Camera, microphone, button, screen: the only vendor imports, made inside constructors."""

import os

# OpenCV reads these when it is loaded, by whichever module comes first.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")  # what fails is said once, by us
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # s; else 10
