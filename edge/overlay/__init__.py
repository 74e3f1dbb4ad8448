"""The picture people see: (image, what is known) -> image. Pure: no socket, clock or screen."""

from edge.overlay.known import Known
from edge.overlay.picture import natural_size, render

__all__ = ["Known", "natural_size", "render"]
