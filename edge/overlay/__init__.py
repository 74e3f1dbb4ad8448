"""What people see: (frame, snapshot) -> image. Pure: no socket, clock or screen."""

from edge.overlay.layout import natural_size
from edge.overlay.render import render
from edge.overlay.snapshot import Snapshot

__all__ = ["Snapshot", "natural_size", "render"]
