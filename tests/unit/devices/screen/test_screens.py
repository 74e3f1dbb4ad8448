"""Screens: bytes in the memory of a framebuffer, the console, PNG files, and having none."""

import errno
import fcntl
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.devices.screen import Screen, ScreenError, screens
from edge.devices.screen import framebuffer as framebuffer_module
from edge.devices.screen.framebuffer import (
    FIXED,
    KD_GRAPHICS,
    KD_TEXT,
    KDGETMODE,
    KDSETMODE,
    VARIABLE,
    Console,
    Framebuffer,
    Geometry,
    draw,
    parse_geometry,
)
from edge.devices.screen.screens import (
    FIRST_SIZE,
    FramebufferScreen,
    PngFile,
    enlargement,
    fit_desktop,
    open_screen,
)

RED = (0, 0, 255)
GREEN = (0, 255, 0)
BLUE = (255, 0, 0)
SALMON = (64, 128, 248)


def make_image(*rows):
    """Rows of BGR colours to an image."""
    return np.array(rows, np.uint8)


def memory_of(image, geometry):
    memory = bytearray(b"\xee" * (geometry.start + geometry.stride * geometry.height))
    draw(image, geometry, memory)
    return bytes(memory)


def test_32_bits_are_blue_green_red_and_one_unused():
    memory = memory_of(make_image([RED, SALMON]), Geometry(2, 1, 8, 32))
    assert memory[0:3] == bytes([0, 0, 255]) and memory[4:7] == bytes([64, 128, 248])


def test_32_bits_with_red_in_the_lowest():
    memory = memory_of(make_image([RED, SALMON]), Geometry(2, 1, 8, 32, red_low=True))
    assert memory[0:3] == bytes([255, 0, 0]) and memory[4:7] == bytes([248, 128, 64])


@pytest.mark.parametrize(
    ("colour", "word"), [(RED, 0xF800), (GREEN, 0x07E0), (BLUE, 0x001F), (SALMON, 0xFC08)]
)
def test_16_bits_are_5_red_6_green_5_blue(colour, word):
    memory = memory_of(make_image([colour]), Geometry(1, 1, 2, 16))
    assert struct.unpack("<H", memory) == (word,)


def test_16_bits_with_red_in_the_lowest():
    memory = memory_of(make_image([RED, BLUE]), Geometry(2, 1, 4, 16, red_low=True))
    assert struct.unpack("<2H", memory) == (0x001F, 0xF800)


@pytest.mark.parametrize(("bits", "stride"), [(32, 8), (32, 11), (16, 4), (16, 7)])
def test_the_bytes_between_the_lines_are_left_alone(bits, stride):
    rows = make_image([RED, GREEN], [BLUE, RED], [GREEN, GREEN])
    tight = 2 * bits // 8
    memory = memory_of(rows, Geometry(2, 3, stride, bits))
    plain = memory_of(rows, Geometry(2, 3, tight, bits))
    for row in range(3):
        line = memory[row * stride : (row + 1) * stride]
        assert line[:tight] == plain[row * tight : (row + 1) * tight]
        assert line[tight:] == b"\xee" * (stride - tight)


def test_a_screen_that_starts_inside_its_memory_is_drawn_there():
    memory = memory_of(make_image([RED]), Geometry(1, 1, 4, 32, start=24))
    assert memory[:24] == b"\xee" * 24 and memory[24:27] == bytes([0, 0, 255])


def test_an_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match="2x1 px on a screen of 3x1"):
        draw(make_image([RED, RED]), Geometry(3, 1, 12, 32), bytearray(12))


def driver_says(bits, red, green, blue, stride, left=0, top=0):
    """What is read of a screen of 800x480; each colour is (offset, bits)."""
    fields = (*red, 0, *green, 0, *blue, 0)
    variable = VARIABLE.pack(800, 480, 800, 960, left, top, bits, 0, *fields, 24, 0, 0)
    fixed = FIXED.pack(b"vc4drmfb", 0, stride * 960, 0, 0, 2, 1, 1, 0, stride)
    return variable, fixed


def test_geometry_is_read_from_what_the_driver_says():
    says = driver_says(32, (16, 8), (8, 8), (0, 8), 3328)
    assert parse_geometry(*says) == Geometry(800, 480, 3328, 32)
    says = driver_says(16, (0, 5), (5, 6), (11, 5), 1664, left=4, top=480)
    assert parse_geometry(*says) == Geometry(800, 480, 1664, 16, True, 480 * 1664 + 8)


def test_pixels_of_another_kind_are_refused_in_words():
    with pytest.raises(OSError, match="8 bits a pixel"):
        parse_geometry(*driver_says(8, (0, 8), (0, 8), (0, 8), 800))
    with pytest.raises(OSError, match="set it to 16 or 32"):
        parse_geometry(*driver_says(16, (10, 5), (5, 5), (0, 5), 1600))


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """Answers for a file that stands for a screen; a test changes the answer."""

    def answer(_):
        if driver.geometry is None:
            raise OSError(errno.ENODEV, "No such device")
        return driver.geometry

    driver = SimpleNamespace(geometry=Geometry(800, 480, 3328, 32), device=tmp_path / "fb0")
    driver.device.write_bytes(bytes(3328 * 480))
    monkeypatch.setattr(framebuffer_module, "read_geometry", answer)
    monkeypatch.setattr(framebuffer_module, "ACTIVE_CONSOLE", tmp_path / "no-such-tty")
    return driver


def test_a_framebuffer_shows_in_the_memory_of_its_device(driver):
    device = driver.device
    framebuffer = Framebuffer(device)
    assert framebuffer.size == (800, 480)
    framebuffer.show(np.full((480, 800, 3), SALMON, np.uint8))
    framebuffer.close()
    lines = np.frombuffer(device.read_bytes(), np.uint8).reshape(480, 3328)
    assert (lines[:, :3200].reshape(480, 800, 4)[..., :3] == SALMON).all()
    assert not lines[:, 3200:].any()


def white(size):
    return np.full((size[1], size[0], 3), 255, np.uint8)


def test_a_screen_that_changes_its_resolution_goes_on_in_the_new_one(driver, monkeypatch):
    monkeypatch.setattr(screens, "MEASURE_PERIOD_S", 0.0)
    screen = FramebufferScreen(driver.device)
    assert screen.size == (800, 480)
    driver.geometry = Geometry(320, 240, 640, 16)
    screen.show(white((800, 480)))
    assert not any(driver.device.read_bytes()), "an image of the old size is passed over"
    assert screen.size == (320, 240)
    screen.show(white(screen.size))
    assert all(driver.device.read_bytes()[: 640 * 240])
    screen.close()


def test_a_screen_whose_driver_is_gone_is_a_screen_error_and_closes_all_the_same(
    driver, monkeypatch
):
    monkeypatch.setattr(screens, "MEASURE_PERIOD_S", 0.0)
    screen = FramebufferScreen(driver.device)
    driver.geometry = None
    with pytest.raises(ScreenError, match="No such device"):
        screen.show(white((800, 480)))
    screen.close()


VT = Path("/dev/tty63")


@pytest.mark.root
@pytest.mark.skipif(not os.access(VT, os.W_OK), reason=f"needs {VT}")
def test_a_real_console_is_in_graphics_mode_until_it_is_given_back():
    def mode():
        answer = bytearray(4)
        fcntl.ioctl(terminal, KDGETMODE, answer)
        return int.from_bytes(answer, "little")

    terminal = os.open(VT, os.O_RDWR | os.O_NOCTTY)
    try:
        console = Console(VT)
        assert mode() == KD_GRAPHICS
        fcntl.ioctl(terminal, KDSETMODE, KD_TEXT)  # as systemd does before it starts a getty
        console.keep()
        assert mode() == KD_GRAPHICS
        console.close()
        assert mode() == KD_TEXT
        Console(VT)  # and is killed: the next one gives the text back all the same
        Console(VT).close()
        assert mode() == KD_TEXT
    finally:
        os.close(terminal)


@pytest.fixture
def terminal():
    """A pseudo-terminal: (what is shown on it, its path)."""
    shown, end = os.openpty()
    yield shown, os.ttyname(end)
    os.close(shown)
    os.close(end)


def test_the_console_loses_its_cursor_and_gets_it_back(terminal):
    shown, path = terminal
    console = Console(path)
    assert os.read(shown, 100) == b"\033[?25l"
    console.close()
    assert os.read(shown, 100) == b"\033[?25h"
    console.close()


@pytest.mark.parametrize("hung_up", [False, True])
def test_a_console_that_a_login_prompt_reset_is_taken_again(driver, terminal, monkeypatch, hung_up):
    def answer(_, request, argument):
        if request == KDSETMODE:
            console.mode = argument
        elif request == KDGETMODE and hung_up:
            raise OSError(errno.EIO, "Input/output error")
        elif request == KDGETMODE:
            argument[0] = console.mode

    shown, path = terminal
    console = SimpleNamespace(mode=KD_TEXT)
    monkeypatch.setattr(framebuffer_module.fcntl, "ioctl", answer)
    monkeypatch.setattr(framebuffer_module, "ACTIVE_CONSOLE", Path(path))
    monkeypatch.setattr(screens, "MEASURE_PERIOD_S", 0.0)
    screen = FramebufferScreen(driver.device)
    assert (console.mode, os.read(shown, 100)) == (KD_GRAPHICS, b"\033[?25l")
    console.mode = KD_TEXT
    screen.show(white((800, 480)))
    assert (console.mode, os.read(shown, 100)) == (KD_GRAPHICS, b"\033[?25l")
    screen.close()
    assert console.mode == KD_TEXT


def test_a_console_that_cannot_be_had_is_done_without(tmp_path):
    Console(tmp_path / "no-such-terminal").close()


def test_a_file_that_is_no_framebuffer_is_refused_in_one_line(tmp_path):
    (tmp_path / "fb0").write_bytes(b"no screen")
    with pytest.raises(ScreenError, match=os.strerror(errno.ENOTTY)) as caught:
        open_screen("framebuffer", str(tmp_path / "fb0"), fullscreen=False)
    assert "\n" not in str(caught.value)


def test_a_framebuffer_that_is_not_there_is_named():
    with pytest.raises(ScreenError, match="there is no /dev/no-such-fb"):
        open_screen("framebuffer", "/dev/no-such-fb", fullscreen=False)


def test_auto_without_any_screen_is_no_error(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    screen = open_screen("auto", "/dev/no-such-fb", fullscreen=False)
    assert screen.size == (0, 0)
    assert "no-such-fb" in screen.name


def test_auto_on_a_display_that_does_not_answer_goes_on_without(monkeypatch, capfd):
    """Qt would end the whole process."""
    monkeypatch.setenv("DISPLAY", ":4711")
    screen = open_screen("auto", "/dev/no-such-fb", fullscreen=False)
    assert screen.size == (0, 0)
    assert "no window can be opened on display :4711" in screen.name
    assert capfd.readouterr() == ("", "")


def test_a_png_file_holds_the_image_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "screen.png"
    screen = PngFile(path)
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    screen.show(image)
    assert (cv2.imread(str(path)) == image).all()
    assert list(tmp_path.iterdir()) == [path]


def test_a_png_file_has_the_size_that_suits_the_image(tmp_path):
    screen = PngFile(tmp_path / "screen.png")
    assert screen.size == FIRST_SIZE
    screen.resize((960, 704))
    assert screen.size == (960, 704)


def test_a_png_file_is_written_a_few_times_a_second_at_most(tmp_path):
    assert PngFile(tmp_path / "screen.png").period_s >= 0.2


def test_a_png_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ScreenError, match="no folder"):
        open_screen(str(tmp_path / "none" / "s.png"), "", fullscreen=False)


def test_a_png_that_cannot_be_written_is_a_screen_error(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    screen = PngFile(folder / "s.png")
    folder.rmdir()
    with pytest.raises(ScreenError, match="cannot write"):
        screen.show(np.zeros((4, 4, 3), np.uint8))


def test_a_png_whose_folder_became_a_file_is_a_screen_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    screen = PngFile(folder / "s.png")
    folder.rmdir()
    folder.touch()
    with pytest.raises(ScreenError, match=r"cannot write .*: Not a directory"):
        screen.show(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize("name", ["folder.png", "x" * 300 + "/s.png"])
def test_a_png_that_cannot_be_one_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ScreenError, match="cannot write") as refused:
        open_screen(str(tmp_path / name), "", fullscreen=False)
    assert "\n" not in str(refused.value)


def test_no_screen_wants_no_image_and_has_no_keys():
    screen = Screen()
    assert screen.size == (0, 0)
    assert screen.poll() is None


@pytest.mark.parametrize(
    ("desktop", "size"),
    [((1920, 1080), (1620, 810)), ((1280, 1024), (1178, 589)), ((3840, 1080), (1620, 810))],
)
def test_a_new_window_is_as_large_as_the_desktop_has_room_for(desktop, size):
    """At most 92 % of it, and at most 1.5 times as wide as the desktop is high."""
    assert fit_desktop((960, 480), desktop) == size


def test_a_window_on_a_desktop_of_unknown_size_has_its_own():
    assert fit_desktop((960, 480), None) == (960, 480)


@pytest.mark.parametrize(
    ("size", "scale"),
    [((640, 480), 1), ((1920, 1080), 1), ((2560, 1440), 1), ((3840, 2160), 2), ((2160, 3840), 2)],
)
def test_a_screen_of_very_many_pixels_shows_each_of_the_image_several_times(size, scale):
    assert enlargement(size) == scale


@pytest.mark.parametrize(("bits", "stride"), [(32, 24), (16, 10)])
def test_an_image_of_half_the_size_fills_the_screen(bits, stride):
    rows = make_image([RED, SALMON], [BLUE, GREEN])
    large = memory_of(rows, Geometry(5, 4, stride, bits))
    doubled = np.repeat(np.repeat(rows, 2, axis=0), 2, axis=1)
    plain = memory_of(doubled, Geometry(4, 4, stride, bits))
    assert large == plain
