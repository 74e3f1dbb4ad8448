"""Cameras: V4L2, libcamera, GStreamer, files, URLs and the demo."""
