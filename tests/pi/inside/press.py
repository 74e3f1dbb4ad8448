"""Inside the virtual Pi: press the button at GPIO17 for 100 ms, with contacts that bounce, and
watch the LED at GPIO27 meanwhile.

usage: press.py SECONDS. Prints JSON: CLOCK_MONOTONIC in ns of the press, and every change of the
LED as [ns, level].
"""

import json
import pathlib
import sys
import threading
import time

PINS = pathlib.Path("/run/vpi/gpio")
BOUNCES = 5


def finger():
    button = PINS / "sim_gpio17" / "pull"
    for _ in range(BOUNCES):
        button.write_text("pull-down")
        time.sleep(0.001)
        button.write_text("pull-up")
        time.sleep(0.001)
    button.write_text("pull-down")
    time.sleep(0.1)
    for _ in range(BOUNCES):
        button.write_text("pull-up")
        time.sleep(0.001)
        button.write_text("pull-down")
        time.sleep(0.001)
    button.write_text("pull-up")


def main():
    led = PINS / "sim_gpio27" / "value"
    changes = [[time.monotonic_ns(), int(led.read_text())]]
    pressed_ns = time.monotonic_ns()
    thread = threading.Thread(target=finger)
    thread.start()
    while time.monotonic_ns() - pressed_ns < float(sys.argv[1]) * 1e9:
        level = int(led.read_text())
        if level != changes[-1][1]:
            changes.append([time.monotonic_ns(), level])
        time.sleep(0.01)
    thread.join()
    print(json.dumps({"pressed_ns": pressed_ns, "led": changes}))


main()
