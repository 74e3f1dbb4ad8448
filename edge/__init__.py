"""Emotions from faces and voices, on the device, published over ZeroMQ."""

__version__ = "0.1.0"
