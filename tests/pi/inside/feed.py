"""Inside the virtual Pi: feed /dev/video0 as a webcam would, with MJPG images of 640x480.

usage: feed.py IMAGE|empty RATE_HZ SECONDS. The image moves a little, as a person does; `empty`
is a wall. All images are made beforehand: translated instructions are slow.
"""

import fcntl
import os
import struct
import sys
import time

import cv2
import numpy as np

VIDIOC_S_FMT = 0xC0D05605  # _IOWR('V', 5, struct v4l2_format), 64 bit; videodev2.h
VIDIOC_STREAMON = 0x40045612  # _IOW('V', 18, int)
OUTPUT = 2
WIDTH, HEIGHT = 640, 480


def images(source):
    """JPEGs of one sway from left to right and back."""
    for shift in (0, 2, 4, 2, 0, -2, -4, -2):
        if source == "empty":
            image = np.full((HEIGHT, WIDTH, 3), (110 + shift, 120, 130), np.uint8)
        else:
            image = cv2.resize(cv2.imread(source), (HEIGHT, HEIGHT))
            side = (WIDTH - HEIGHT) // 2
            image = cv2.copyMakeBorder(image, 0, 0, side, side, cv2.BORDER_REPLICATE)
            image = np.roll(image, shift, axis=1)
        yield cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def main():
    source, rate_hz, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    device = os.open("/dev/video0", os.O_RDWR)
    kind = int.from_bytes(b"MJPG", "little")
    wanted = struct.pack("=II8I", OUTPUT, 0, WIDTH, HEIGHT, kind, 1, 0, WIDTH * HEIGHT * 2, 8, 0)
    fcntl.ioctl(device, VIDIOC_S_FMT, bytearray(wanted.ljust(208, b"\0")))
    # Makes it the writer: v4l2loopback would else not know that it is free again when we go.
    fcntl.ioctl(device, VIDIOC_STREAMON, struct.pack("i", OUTPUT))
    loop = list(images(source))
    started_s = time.monotonic()
    count = 0
    while time.monotonic() - started_s < seconds:
        os.write(device, loop[count % len(loop)])
        count += 1
        time.sleep(max(0.0, started_s + count / rate_hz - time.monotonic()))
    print(f"fed {count} images")


main()
