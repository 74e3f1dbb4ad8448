"""The picture people see: (image, what is known) -> image. Pure: no socket, clock or screen."""

from edge.overlay.render import natural_size, render
from edge.overlay.snapshot import Known

__all__ = ["Known", "natural_size", "render"]
