"""What the desktop script did with each frame, timed: Haar at full size, then Keras' predict.

Runs alone in a Python that has OpenCV and Keras; prints the CPU milliseconds of each as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np

ASSETS = Path(__file__).resolve().parent.parent / "edge" / "assets"
ROUNDS = 50


def network() -> keras.Model:
    """A CNN as tutorials train it on FER2013: three convolution blocks and a dense layer."""
    layers = keras.layers
    blocks = []
    for filters in (32, 64, 128):
        blocks += [layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D(2)]
    head = [layers.Flatten(), layers.Dense(256, activation="relu"), layers.Dense(7)]
    return keras.Sequential([keras.Input((48, 48, 1)), *blocks, *head])


def cpu_ms(work: object) -> float:
    """CPU of the whole process for one round, ms."""
    work()  # type: ignore[operator]
    before_s = time.process_time()
    for _ in range(ROUNDS):
        work()  # type: ignore[operator]
    return (time.process_time() - before_s) / ROUNDS * 1e3


def main() -> None:
    cv2.setNumThreads(1)
    portrait = cv2.imread(str(ASSETS / "astronaut.jpg"), cv2.IMREAD_GRAYSCALE)
    grey = np.full((480, 640), 128, np.uint8)
    grey[:, :480] = cv2.resize(portrait, (480, 480))
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    model = network()
    crop = np.zeros((1, 48, 48, 1), np.float32)
    haar_ms = cpu_ms(lambda: cascade.detectMultiScale(grey, 1.1, 5))
    predict_ms = cpu_ms(lambda: model.predict(crop, verbose=0))
    json.dump({"haar_ms": haar_ms, "predict_ms": predict_ms}, sys.stdout)


if __name__ == "__main__":
    main()
