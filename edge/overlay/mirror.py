"""The picture as a mirror shows it, with the boxes where the faces are then.

Only what is seen on the screen: frames and messages on the bus are as the camera gave them.
"""

import cv2
import msgspec
import numpy as np

from edge.bus.messages import FaceMessage, FaceResult, Message
from edge.types import Image


def mirrored(image: Image) -> Image:
    """Left and right exchanged: (height, width, 3), the same shape."""
    return np.asarray(cv2.flip(image, 1), np.uint8)


def mirrored_message(message: Message) -> Message:
    """A `face` with its boxes in px of the mirrored frame; anything else as it is."""
    if not isinstance(message, FaceMessage):
        return message
    width, _ = message.frame_size
    faces = [_mirrored_face(face, width) for face in message.faces]
    return msgspec.structs.replace(message, faces=faces)


def _mirrored_face(face: FaceResult, width: int) -> FaceResult:
    x, y, w, h = face.box
    return msgspec.structs.replace(face, box=(width - x - w, y, w, h))
