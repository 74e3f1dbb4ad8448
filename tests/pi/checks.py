"""What a person would try at a new board, one function a check. Limits are generous: the board's
instructions are translated, and only what happens counts, not how fast."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.bus.messages import SERVICES, AudioMessage, FaceMessage, RecordingMessage
from edge.overlay.bars import COLOURS
from edge.overlay.layout import lay_out
from edge.paths import SYSTEM_RECORDINGS
from tests.pi.listener import Listener
from tests.pi.machine import Pi
from tests.pi.product import RELEASE, SETTINGS, TOOLS, Product, unit

SOON_S = 400.0
"""For what takes a second or two on a board."""
WATCHDOG_S = 800.0
"""30 s of silence, an abort, and a start."""
GAP_S = 120.0
"""Longest silence of a service that nothing happens to; it speaks once a second."""
BOX_PX = 300
"""A box of 100 px side and its label have more of their colour."""
FACE = f"{TOOLS}/face.jpg"
SPEECH = f"{TOOLS}/speech.wav"
BUTTON = "/run/vpi/gpio/sim_gpio17/pull"


@dataclass
class Bench:
    """The board, what runs on it, and where results go."""

    pi: Pi
    folder: Path
    """For keys and images."""
    screenshot: Path
    idle_s: float
    product: Product = field(init=False)

    def __post_init__(self) -> None:
        self.product = Product(self.pi)

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """Another host that listens, from the moment on when it receives all services."""
        listener = Listener(
            self.pi.gateway_port, self.product.key_of("host", self.folder / "host.key")
        )
        try:
            listener.await_(
                "all are received", lambda: all(map(listener.last_health, SERVICES)), SOON_S
            )
            yield listener
        finally:
            listener.close()


def power_on(bench: Bench) -> str:
    """From power-on every unit is active without a login; the doctor is content."""
    pi, product = bench.pi, bench.product
    started_s = time.monotonic()
    pi.power_on()
    product.wait_until_active()
    took_s = time.monotonic() - started_s
    assert not pi.says("loginctl list-sessions --no-legend | grep -v root || true")
    missing = [line.split()[1] for line in product.doctor() if line.startswith("missing")]
    # Nothing feeds the camera yet.
    assert set(missing) <= {"camera", "face", "detector"}, f"the doctor misses {missing}"
    failed = pi.says("systemctl --failed --no-legend")
    assert not failed, failed
    return (
        f"seven units active {took_s:.0f} s after power-on; the doctor ends with 0, and misses "
        f"{', '.join(missing) or 'nothing'} (nothing feeds the camera yet)"
    )


def face(bench: Bench) -> str:
    """A real face before the camera comes to another host as one face; and no other."""
    product = bench.product
    with bench.listener() as listener:
        before_s = time.monotonic()
        time.sleep(5)
        early = listener.received(FaceMessage, before_s)
        assert not early, f"{len(early)} faces messages without an image"
        product.feed(FACE, 600)
        fed_s = time.monotonic()
        listener.await_(
            "a face", lambda: any(f.faces for f in listener.received(FaceMessage, fed_s)), SOON_S
        )
        settled_s = time.monotonic()
        listener.await_(
            "ten more", lambda: len(listener.received(FaceMessage, settled_s)) >= 10, SOON_S
        )
        counts = [len(f.faces) for f in listener.received(FaceMessage, settled_s)[:10]]
        assert counts == [1] * 10, f"faces in ten messages: {counts}"
        emotion = listener.received(FaceMessage, settled_s)[-1].faces[0].emotion
        product.feed("empty", 600)
        empty_s = time.monotonic()
        listener.await_(
            "an empty list", lambda: ends_empty(listener.received(FaceMessage, empty_s)), SOON_S
        )
        product.stop_feeding()
    return f"nothing before; 1 face ({emotion}) in each of ten messages; an empty list after"


def ends_empty(messages: list[FaceMessage]) -> bool:
    return len(messages) >= 5 and not any(message.faces for message in messages[-5:])


def button(bench: Bench) -> str:
    """100 ms at GPIO17, with bounce: one recording, one result, and the LED meanwhile."""
    pi, product = bench.pi, bench.product
    product.play(SPEECH)
    with bench.listener() as listener:
        listener.await_state("audio", "ok", SOON_S)
        since_s = time.monotonic()
        pressed = json.loads(pi.ssh(f"python3 {TOOLS}/press.py 20").stdout)
        listener.await_("audio", lambda: bool(listener.received(AudioMessage, since_s)), SOON_S)
        time.sleep(10)
        received = [
            a for a in listener.received(AudioMessage, since_s) if a.t_ns > pressed["pressed_ns"]
        ]
        recording = listener.received(RecordingMessage, since_s)
    product.stop_playing()
    assert len(received) == 1, f"{len(received)} audio messages"
    assert received[0].trigger == "button", received[0]
    assert received[0].duration_s == 2.0, received[0]
    assert received[0].speech, received[0]
    phases = changes([message.phase for message in recording])
    assert phases.count("recording") == 1, phases
    on_s = check_led(pressed["led"], recording)
    return (
        f"one recording ({' '.join(phases)}), one audio of {received[0].duration_s} s "
        f"({received[0].emotion}, {received[0].level_dbfs} dBFS); "
        f"LED high for {on_s:.1f} s of it, once"
    )


def changes(items: list[str]) -> list[str]:
    """Without repetitions."""
    return [b for a, b in zip([None, *items], items, strict=False) if a != b]


def check_led(led: list[list[int]], recording: list[RecordingMessage]) -> float:
    """It goes high once, after the microphone opened, and low before the analysis. Seconds."""
    assert [level for _, level in led] == [0, 1, 0], f"LED: {led}"
    high_ns, low_ns = led[1][0], led[2][0]
    said = [m.t_ns for m in recording if m.phase in ("waiting", "recording")]
    assert said, "no recording message came"
    assert high_ns - 2e9 < min(said), "the LED came late"
    assert max(said) - 2e9 < low_ns, "the LED went early"
    return (low_ns - high_ns) / 1e9


def screen(bench: Bench) -> str:
    """The HDMI screen shows image, box, label and voice line."""
    pi, product = bench.pi, bench.product
    product.play(SPEECH)
    product.feed(FACE, 600)
    with bench.listener() as listener:
        since_s = time.monotonic()
        listener.await_(
            "faces", lambda: any(f.faces for f in listener.received(FaceMessage, since_s)), SOON_S
        )
        pressed_ns = json.loads(pi.says(f"python3 {TOOLS}/press.py 1"))["pressed_ns"]
        is_new = lambda: any(a.t_ns > pressed_ns for a in listener.received(AudioMessage, since_s))  # noqa: E731
        listener.await_("audio", is_new, SOON_S)
        listener.await_("a box", lambda: has_box(look_at(bench)), SOON_S)
    product.stop_feeding()
    product.stop_playing()
    shown = cv2.imread(str(bench.screenshot))
    likeness = best_match(shown, cv2.imread(str(bench.folder / "share/inside/face.jpg")))
    assert likeness > 0.5, f"the image is not on the screen: likeness {likeness:.2f}"
    return f"face (likeness {likeness:.2f}), box and label; see docs/reports/pi-screen.png"


def look_at(bench: Bench) -> np.ndarray:
    """What the screen shows now, (height, width, 3) BGR; it stays in `bench.screenshot`."""
    bench.pi.screendump(bench.screenshot)
    return cv2.imread(str(bench.screenshot))


def has_box(shown: np.ndarray) -> bool:
    """Whether an emotion's own colour, of box and label, is in the picture."""
    image = lay_out(shown.shape[1::-1], None, 1, 0).stage.of(shown)
    counts = [int(np.all(image == colour, axis=2).sum()) for colour in COLOURS.values()]
    return max(counts) >= BOX_PX


def best_match(shown: np.ndarray, face: np.ndarray) -> float:
    """How well the middle of `face`, at the best scale, is found in `shown`: 0 to 1."""
    height, width = face.shape[:2]
    middle = face[height // 8 : height // 2, width // 4 : 3 * width // 4]
    best = 0.0
    for side in range(100, 500, 20):
        part = cv2.resize(middle, (side, round(side * middle.shape[0] / middle.shape[1])))
        if part.shape[0] < shown.shape[0] and part.shape[1] < shown.shape[1]:
            best = max(best, float(cv2.matchTemplate(shown, part, cv2.TM_CCOEFF_NORMED).max()))
    return best


def death(bench: Bench) -> str:
    """Each unit killed, and stopped: it comes back, and the others do not notice."""
    took = []
    with bench.listener() as listener:
        for service in SERVICES:
            killed_s = die(bench, listener, service, "KILL", SOON_S * 2)
            stopped_s = die(bench, listener, service, "STOP", WATCHDOG_S)
            took.append(f"{service} {killed_s:.0f}/{stopped_s:.0f}")
    return f"back after kill/stop, s: {', '.join(took)}; the others: same process, no silence"


def die(bench: Bench, listener: Listener, service: str, signal: str, limit_s: float) -> float:
    """Send the signal; seconds until the service works again, as another host receives it."""
    product = bench.product
    pids = product.pids()
    since_s = time.monotonic()
    bench.pi.ssh(f"kill -{signal} {pids[service]}")
    product.wait_for_another(service, pids[service], limit_s)
    product.wait_until_active()
    back_s = time.monotonic()
    listener.await_(
        f"{service} received", lambda: listener.last_health(service, back_s) is not None, SOON_S
    )
    took_s = time.monotonic() - since_s
    for other in set(SERVICES) - {service}:
        assert product.pids()[other] == pids[other], f"{other} was started again, too"
        # Nobody receives anything while the hub is away.
        gap_s = 0.0 if service == "hub" else listener.longest_gap_s(other, since_s)
        assert gap_s < GAP_S, f"{other} said nothing for {gap_s:.0f} s"
    return took_s


def hotplug(bench: Bench) -> str:
    """Camera and sound card unplugged and plugged in: degraded, then ok, and no new process."""
    pi, product = bench.pi, bench.product
    product.feed(FACE, 3600)
    with bench.listener() as listener:
        listener.await_state("camera", "ok", SOON_S)
        pids = product.pids()
        product.stop_feeding()
        unload(bench, "v4l2loopback", "/dev/video0")
        lost = listener.await_state("camera", "degraded", SOON_S).detail
        options = "video_nr=0 card_label='vpi camera' exclusive_caps=1 max_buffers=4"
        pi.ssh(f"modprobe v4l2loopback {options}")
        product.feed(FACE, 3600)
        listener.await_state("camera", "ok", SOON_S)
        listener.await_state("face", "ok", SOON_S)
        product.stop_feeding()
        listener.await_state("audio", "ok", SOON_S)
        unload(bench, "snd_aloop", "/dev/snd/controlC0")
        pi.ssh(f"python3 {TOOLS}/press.py 1")
        deaf = listener.await_state("audio", "degraded", SOON_S).detail
        pi.ssh("modprobe snd-aloop index=0 id=Loopback pcm_substreams=2")
        time.sleep(2)
        pi.ssh(f"python3 {TOOLS}/press.py 1")
        listener.await_state("audio", "ok", SOON_S)
        assert product.pids() == pids, "a process was started again"
    return f"camera: {lost!r}, then ok; sound: {deaf!r}, then ok; all processes the same"


def unload(bench: Bench, module: str, device: str) -> None:
    """Pull a device out: as with a plug, whoever has it open has to let go of it first."""
    give_up_s = time.monotonic() + SOON_S
    while bench.pi.ssh(f"rmmod {module}", check=False).returncode:
        assert time.monotonic() < give_up_s, bench.pi.says(f"fuser -v {device} 2>&1 || true")
        time.sleep(1)


def wrong_settings(bench: Bench) -> str:
    """A wrong setting: one start, exit code 78, one clear line, no second start."""
    pi, product = bench.pi, bench.product
    pi.ssh(f"cp -p {SETTINGS} /root/kept.toml; printf '[fuson]\\nthreshold = 1\\n' >> {SETTINGS}")
    since = product.now()
    try:
        pi.ssh(f"systemctl restart {unit('fusion')}", check=False)
        time.sleep(15)
        lines = product.journal("fusion", since)
        result = (product.property("fusion", "ExecMainStatus"), product.restarts()["fusion"])
        assert product.property("fusion", "ActiveState") == "failed"
    finally:
        pi.ssh(f"cp -p /root/kept.toml {SETTINGS}; systemctl reset-failed; sync")
        pi.ssh(f"systemctl start --no-block {unit('fusion')}")
    assert result == ("78", 0), f"exit code and restarts: {result}"
    warnings = [line for line in lines if "fuson" in line]
    assert len(warnings) == 1, lines
    product.wait_until_active()
    return f"exit code 78, 0 restarts, one line: {warnings[0]!r}"


def power_cuts(bench: Bench) -> str:
    """Five times the plug is pulled at some moment: it boots, runs, and nothing is damaged."""
    pi, product = bench.pi, bench.product
    settings = pi.says(f"sha256sum {SETTINGS}")
    moments = []
    for _ in range(5):
        moments.append(random.uniform(0, 30))
        time.sleep(moments[-1])
        pi.cut_power()
        pi.power_on()
        product.wait_until_active()
        assert pi.says(f"sha256sum {SETTINGS}") == settings, "the settings changed"
        product.doctor()
        errors = pi.says("journalctl -q -k -b -p err -o cat --grep 'EXT4-fs error' || true")
        assert not errors, errors
    seconds = ", ".join(f"{moment:.0f}" for moment in moments)
    return (
        f"cut {seconds} s after it ran; each time seven units active, settings and doctor as before"
    )


def upgrade(bench: Bench) -> str:
    """A next version takes over; one that does not work is taken back; settings stay."""
    pi, product = bench.pi, bench.product
    settings = pi.says(f"sha256sum {SETTINGS}; ls {Path(SETTINGS).parent}/keys")
    first = pi.says(f"readlink {RELEASE}")
    install = "deploy/install.sh --wheelhouse /mnt/host/wheelhouse"
    pi.ssh(f"cd /mnt/host/next && {install}", timeout_s=3600)
    second = pi.says(f"readlink {RELEASE}")
    assert second != first and "9.0.0" in second, second
    product.wait_until_active()
    broken = pi.ssh(f"cd /mnt/host/broken && {install}", check=False, timeout_s=3600)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert pi.says(f"readlink {RELEASE}") == second, broken.stdout
    product.wait_until_active()
    assert pi.says(f"sha256sum {SETTINGS}; ls {Path(SETTINGS).parent}/keys") == settings
    said = broken.stderr.strip().splitlines()[-1]
    assert "runs again" in said, broken.stdout + broken.stderr
    return f"{first} -> {second}; then 9.0.1, which does not work: {said!r}"


def idle(bench: Bench) -> str:
    """Idle, the service writes nothing to the disk."""
    pi, product = bench.pi, bench.product
    product.wait_until_active()
    pi.ssh("sleep 30")
    since = product.now()
    before = written(bench)
    pi.ssh(f"sleep {bench.idle_s:.0f}", timeout_s=20 * bench.idle_s)
    after = written(bench)
    lines = [line for name in SERVICES for line in product.journal(name, since)]
    assert before == after, f"bytes written before and after: {before} {after}"
    assert not lines, lines
    disk = pi.says("awk '$3 == \"vda\" { print $10 * 512 }' /proc/diskstats")
    return (
        f"{bench.idle_s / 60:.0f} guest minutes: 0 bytes by all seven processes, no line in the "
        f"journal (all the system, since its boot: {disk} bytes)"
    )


def written(bench: Bench) -> dict[str, str]:
    """Bytes that each process has caused to be written to a disk. proc_pid_io(5)"""
    pids = bench.product.pids()
    return {
        f"{name} {pid}": bench.pi.says(
            f"awk '$1 == \"write_bytes:\" {{ print $2 }}' /proc/{pid}/io"
        )
        for name, pid in pids.items()
    }


def long_press(bench: Bench) -> str:
    """Three seconds at GPIO17 switch the board off in good order, where that is set and allowed."""
    pi, product = bench.pi, bench.product
    pi.ssh(f"cp {RELEASE}/deploy/polkit/50-emotion-edge-poweroff.rules /etc/polkit-1/rules.d/")
    pi.ssh(f"sed -i 's/^.audio.button.$/&\\npower_off_s = 3.0/' {SETTINGS}")
    pi.ssh(f"systemctl restart {unit('audio')}")
    with bench.listener() as listener:
        listener.await_state("audio", "ok", SOON_S)
    before = shutdowns(pi)
    pi.ssh(f"python3 {TOOLS}/press.py 20", check=False)
    state = pi.says("systemctl is-system-running || true")
    assert state != "stopping", "a short press switched it off"
    pi.ssh(f"echo pull-down > {BUTTON}", check=False)
    pi.await_off(WATCHDOG_S)
    pi.power_on()
    product.wait_until_active()
    assert shutdowns(pi) == before + 1, "it went off without a shutdown"
    return "100 ms leave it on; 3 s switch it off in good order; on again, seven units are active"


def shutdowns(pi: Pi) -> int:
    """How often it was shut down in good order, ever. last(1)"""
    return int(pi.says("last -x shutdown | grep -c ^shutdown || true"))


def recorder(bench: Bench) -> str:
    """Switched on, it keeps results for its own user alone, also through a power cut; then off."""
    pi, product = bench.pi, bench.product
    pi.ssh(f"cp {SETTINGS} /root/settings; printf '\\n[recorder]\\nkeep_days = 3\\n' >> {SETTINGS}")
    pi.ssh(f"systemctl enable --now {unit('recorder')}")
    with bench.listener() as listener:
        listener.await_state("recorder", "ok", SOON_S)
    assert pi.says(f"stat -c '%a %U' {SYSTEM_RECORDINGS}") == "700 emotion-edge"
    name = pi.says("emotion-edge session start --note pi").split()[1]
    pi.ssh("sleep 20; emotion-edge session mark moment; emotion-edge session stop")
    export = f"emotion-edge export {name}"
    before = pi.says(export)
    seconds = before.count(",emotion,") - 1  # the header has one, too
    assert seconds >= 15 and before.count(",mark,") == 1, before
    pi.cut_power()
    pi.power_on()
    product.wait_until_active()
    with bench.listener() as listener:
        listener.await_state("recorder", "ok", SOON_S)
    assert pi.says(export) == before, "what was kept is another"
    assert not pi.says(f"ls {SYSTEM_RECORDINGS} | grep broken || true")
    pi.ssh(f"emotion-edge session delete {name}")
    assert not pi.says("emotion-edge session list")
    pi.ssh(f"systemctl disable --now {unit('recorder')}; cp /root/settings {SETTINGS}")
    return f"{seconds} s kept, 0700, the same after the plug was pulled; erased; off again"


def uninstall(bench: Bench) -> str:
    """uninstall.sh leaves settings and keys; with --purge, nothing."""
    pi = bench.pi
    settings = f"cat {SETTINGS} {Path(SETTINGS).parent}/keys/* | sha256sum"
    before = pi.says(settings)
    script = "/mnt/host/checkout/deploy/uninstall.sh"
    pi.ssh(script)
    assert pi.says(settings) == before, "settings or keys are others"
    assert not pi.says("systemctl list-units --all --no-legend 'emotion-edge*'")
    pi.ssh(f"{script} --purge")
    left = pi.says("find / -xdev -name '*emotion-edge*' -not -path '/var/log/*'")
    left += pi.says("getent passwd emotion-edge; getent group emotion-edge gpio; true")
    assert not left, left
    return "settings and keys stay; with --purge no file, unit, user or group is left"


CHECKS = {
    1: power_on,
    2: face,
    3: button,
    4: screen,
    5: death,
    6: hotplug,
    7: wrong_settings,
    8: power_cuts,
    9: upgrade,
    10: idle,
    11: long_press,
    12: recorder,
    13: uninstall,
}
