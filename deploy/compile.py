"""Compile what the processes import, by importing it: a quarter of all the Python that lies there.

Run by install.sh with the release's own Python. The service may not write to its release, so that
what is not compiled now would be compiled at every start.
"""

import contextlib
import importlib
import pkgutil

import edge

# What is imported late, in a constructor, and only where the device is there.
LATE = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
    "gpiozero.pins.lgpio",
    "ifaddr",
    "picamera2",
    "pyaudio",
    "soundfile",
    "zeroconf",
)

# For the computer of who reads the results: what they import is in extras that a device has not.
ELSEWHERE = ("edge.commands.lsl", "edge.devices.lsl", "edge.recordings.parquet")

# Ours have to be importable: a release that is not goes no further.
for found in pkgutil.walk_packages(edge.__path__, "edge."):
    if found.name not in ELSEWHERE:
        importlib.import_module(found.name)
for name in LATE:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
