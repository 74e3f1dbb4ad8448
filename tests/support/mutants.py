"""Images and sounds of every kind that can be made here, and damaged ones made of them."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
import soundfile
from PIL import Image

from tests.support.harness import ROOT

File = tuple[str, bytes]
"""(suffix, content)"""
PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"
RATE_HZ = 16_000
PNG_HEAD, PNG_EXTRA = 8, 12
WORDS = (0, 1, 7, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF)
LONG_WORDS = (0, 1, 0xFFFF, 0x10000, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def images() -> list[File]:
    """One of each kind, with a face."""
    colour = Image.open(PORTRAIT).convert("RGB").resize((160, 160))
    grey = colour.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 256)
    turned = Image.Exif()
    turned[274] = 6
    kinds: list[tuple[str, str, Image.Image, dict[str, object]]] = [
        *[("png", "PNG", image, {}) for image in (colour, grey, deep)],
        *[("png", "PNG", colour.convert(mode), {}) for mode in ("P", "RGBA", "1")],
        ("png", "PNG", colour, {"save_all": True, "append_images": [colour.rotate(9)]}),
        ("jpg", "JPEG", colour, {"exif": turned}),
        ("jpg", "JPEG", colour, {"progressive": True}),
        ("jpg", "JPEG", colour.convert("CMYK"), {}),
        ("jpg", "JPEG", grey, {"quality": 30}),
        *[("webp", "WEBP", colour, {"lossless": lossless}) for lossless in (False, True)],
        ("webp", "WEBP", colour, {"save_all": True, "append_images": [colour.rotate(9)]}),
        *[("gif", "GIF", colour.convert(mode), {}) for mode in ("P", "RGB")],
        *[("bmp", "BMP", colour.convert(mode), {}) for mode in ("RGB", "P", "1")],
        ("tif", "TIFF", colour, {"exif": turned}),
        *[
            ("tif", "TIFF", colour, {"compression": name})
            for name in ("tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "jpeg", "packbits")
        ],
        ("tif", "TIFF", colour.convert("1"), {"compression": "group4"}),
        ("tif", "TIFF", Image.fromarray(np.asarray(grey).astype(np.float32)), {}),
        ("jp2", "JPEG2000", colour, {}),
        *[("ppm", "PPM", image, {}) for image in (colour, grey)],
    ]
    return [(suffix, _image(image, kind, options)) for suffix, kind, image, options in kinds]


def _image(image: Image.Image, kind: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sounds() -> list[File]:
    """One of each kind: a voice's pitch and three formants, 1.6 s."""
    at_s = np.arange(round(1.6 * RATE_HZ)) / RATE_HZ
    mono = sum(np.sin(2 * np.pi * hz * at_s) for hz in (140, 700, 1220, 2600)) / 8
    stereo = np.stack([mono, -mono], 1)
    wav = ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM")
    kinds = [
        *[("wav", "WAV", kind, mono) for kind in (*wav, "MS_ADPCM", "GSM610")],
        *[("wav", kind, "PCM_16", mono) for kind in ("WAVEX", "RF64")],
        ("wav", "WAV", "PCM_16", stereo),
        ("flac", "FLAC", "PCM_16", mono),
        ("flac", "FLAC", "PCM_24", stereo),
        *[("ogg", "OGG", "VORBIS", signal) for signal in (mono, stereo)],
        ("opus", "OGG", "OPUS", mono),
        *[("mp3", "MP3", "MPEG_LAYER_III", signal) for signal in (mono, stereo)],
        *[("aiff", "AIFF", kind, mono) for kind in ("PCM_16", "IMA_ADPCM")],
        ("au", "AU", "PCM_16", mono),
    ]
    return [(suffix, _sound(signal, kind, subtype)) for suffix, kind, subtype, signal in kinds]


def _sound(signal: "np.ndarray", kind: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, signal, RATE_HZ, format=kind, subtype=subtype)
    return file.getvalue()


def mutated(chance: random.Random, file: File, others: list[File]) -> File:
    """The file with one to forty changes, most of them in its first kilobyte."""
    suffix, content = file
    changed = bytearray(content)
    head = chance.choice((32, 64, 128, 400, 1000))
    for _ in range(chance.choice((1, 1, 2, 3, 5, 12, 40))):
        if changed:
            at = chance.randrange(
                len(changed) if chance.random() < 0.4 else min(head, len(changed))
            )
            chance.choice(CHANGES)(chance, changed, at, others)
    if suffix == "png" and chance.random() < 0.8:
        _correct_checksums(changed)
    return suffix, bytes(changed)


def _flip(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    text[at] ^= 1 << chance.randrange(8)


def _random(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    text[at] = chance.randrange(256)


def _word(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    text[at : at + 2] = struct.pack(chance.choice("<>") + "H", chance.choice(WORDS))


def _long_word(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    text[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(LONG_WORDS))


def _step(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    (value,) = struct.unpack("<I", bytes(text[at : at + 4]).ljust(4, b"\0"))
    step = chance.choice((-16, -1, 1, 16, 256, 65536))
    text[at : at + 4] = struct.pack("<I", (value + step) % 2**32)


def _leave_out(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    del text[at : at + chance.choice((1, 2, 4, 16, 100))]


def _insert(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    text[at:at] = chance.randbytes(chance.choice((1, 4, 16, 64)))


def _repeat(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    start, size = chance.randrange(len(text)), chance.randrange(1, 65)
    text[at : at + size] = text[start : start + size]


def _cut(chance: random.Random, text: bytearray, at: int, _: list[File]) -> None:
    if chance.random() < 0.4:
        del text[at:]


def _splice(chance: random.Random, text: bytearray, at: int, others: list[File]) -> None:
    if chance.random() < 0.3:
        _, other = chance.choice(others)
        text[at:] = other[chance.randrange(len(other)) :]


CHANGES: tuple[Callable[[random.Random, bytearray, int, list[File]], None], ...] = (
    _flip,
    _random,
    _word,
    _long_word,
    _step,
    _leave_out,
    _insert,
    _repeat,
    _cut,
    _splice,
)


def _correct_checksums(text: bytearray) -> None:
    """So that a PNG's reader does not stop at the first chunk that was changed."""
    at = PNG_HEAD
    while at + PNG_EXTRA <= len(text):
        (size,) = struct.unpack(">I", text[at : at + 4])
        end = at + 8 + size
        if end + 4 > len(text):
            return
        text[end : end + 4] = struct.pack(">I", zlib.crc32(text[at + 4 : end]))
        at = end + 4
