"""Images from files: every kind comes out alike, and what is none is said in one line."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.devices.camera.image_file import ImageFileError, read_image

RED = (0, 0, 255)


def red(mode: str) -> Image.Image:
    return Image.new("RGB", (6, 4), "red").convert(mode)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "a.png"),
        ("RGB", "a.bmp"),
        ("RGB", "a.webp"),
        ("RGBA", "a.png"),
        ("P", "a.png"),
        ("P", "a.gif"),
        ("CMYK", "a.tif"),
        ("CMYK", "a.jpg"),
    ],
)
def test_every_kind_of_colour_comes_out_as_bgr(tmp_path: Path, mode: str, name: str) -> None:
    red(mode).save(tmp_path / name)
    image = read_image(tmp_path / name)
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - RED).max() <= 4


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_grey_of_16_bits_keeps_its_brightness(tmp_path: Path, name: str) -> None:
    Image.fromarray(np.full((4, 6), 100 << 8, np.uint16)).save(tmp_path / name)
    assert (read_image(tmp_path / name) == 100).all()


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn it right
    red("RGB").save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (6, 4, 3)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.webp"])
def test_of_an_animation_the_first_image_is_taken(tmp_path: Path, name: str) -> None:
    others = [Image.new("RGB", (6, 4), "blue")] * 3
    red("RGB").save(tmp_path / name, save_all=True, append_images=others)
    assert np.abs(read_image(tmp_path / name).astype(int) - RED).max() <= 4


def cut_off(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1000])


def too_large(path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(path)


def text(path: Path) -> None:
    path.write_text("no image")


def postscript(path: Path) -> None:
    """Pillow would have Ghostscript run it."""
    red("RGB").save(path, "EPS")


@pytest.mark.parametrize("make", [cut_off, too_large, text, postscript, Path.touch, Path.mkdir])
def test_what_is_no_image_is_named_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.png"
    make(path)
    with pytest.raises(ImageFileError, match=re.escape(str(path))) as refused:
        read_image(path)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")
