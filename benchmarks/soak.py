"""`python -m benchmarks.soak [MINUTES [FILE.md]]`: the whole product for long, with subscribers.

Seven processes on the demo at 30 frames a second, a recording every minute; at the remote
endpoint a subscriber that takes everything, one that comes and goes every five seconds, one that
was stopped, and a client with an unknown key every ten. Memory is sampled twice a minute, every
`seq` is checked. PSS also moves when others that share a library start or end; a process's own
part is anonymous. The table is written every five minutes, so an early end loses nothing.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import soundfile
import zmq

from benchmarks.measure import machine, percentile, pss_mb
from benchmarks.product import Product, running, settings
from edge.bus import pubsub, sockets
from edge.bus.keys import Keys, SubscriberKey
from edge.bus.messages import TOPICS, FaceMessage, HealthMessage, Message, Press
from edge.bus.pubsub import send_once
from edge.config import AudioConfig, CameraConfig, Config, GatewayConfig

MINUTES = 60.0
WARM_UP_S = 300.0
"""Memory that a process needs once is not a leak: slopes are taken from here on."""
SETTLE_S = 10
SAMPLE_S, PRESS_S, COME_AND_GO_S, UNKNOWN_S, WRITE_S = 30.0, 60.0, 5.0, 10.0, 300.0
PORT = 5599
ENDPOINT = f"tcp://127.0.0.1:{PORT}"


class Tally:
    """What arrived through the remote endpoint, and what did not."""

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0
        self.replayed = 0
        self.restarts = 0
        self.longest_silence_s = 0.0
        self.ages_ms: list[float] = []
        self.health: dict[str, HealthMessage] = {}
        self._seq: dict[str, int] = {}
        self._received_s: dict[str, float] = {}
        self._topic: dict[str, tuple[int, int]] = {}

    def start(self) -> None:
        """Count from here: the last values that came at first are older than what came since."""
        self.lost = self.restarts = 0

    def take(self, topic: str, message: Message) -> None:
        """Check the publisher's count, and note age and silence."""
        if self._topic.get(topic) == (message.seq, message.t_ns):
            self.replayed += 1
            return
        self._topic[topic] = (message.seq, message.t_ns)
        publisher = TOPICS[topic].publisher
        expected = self._seq.get(publisher, message.seq - 1) + 1
        self.received += 1
        self.lost += max(0, message.seq - expected)
        self.restarts += message.seq < expected
        self._seq[publisher] = message.seq
        if isinstance(message, FaceMessage):
            self.ages_ms.append(message.age_ms)
        if isinstance(message, HealthMessage):
            self.health[topic] = message
            now_s = time.monotonic()
            silence_s = now_s - self._received_s.get(topic, now_s)
            self.longest_silence_s = max(self.longest_silence_s, silence_s)
            self._received_s[topic] = now_s


def subscriber(endpoint: str, key: SubscriberKey) -> "zmq.Socket[bytes]":
    """A SUB on everything that loses nothing by itself."""
    socket = sockets.make_socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.curve_serverkey = key.server.encode()
    socket.curve_publickey = key.public.encode()
    socket.curve_secretkey = key.secret.encode()
    socket.subscribe(b"")
    sockets.connect(socket, endpoint)
    return socket


def stopped(endpoint: str, key: SubscriberKey) -> None:
    """A process of its own: it subscribes, takes one message, and waits to be stopped."""
    socket = subscriber(endpoint, key)
    socket.recv_multipart()
    os.kill(os.getpid(), signal.SIGSTOP)


def prepare() -> tuple[Config, dict[str, SubscriberKey]]:
    """The settings, with a remote endpoint, and the keys of its subscribers."""
    config = settings(camera=CameraConfig(source="demo"))
    noise = config.directory / "noise.wav"
    _write_noise(noise)
    keys = Keys(config.directory / "keys")
    key = {name: keys.add(name, "bench") for name in ("everything", "guest", "stopped")}
    public, secret = (part.decode() for part in zmq.curve_keypair())
    key["unknown"] = msgspec.structs.replace(key["guest"], public=public, secret=secret)
    endpoints = GatewayConfig(
        local="",
        remote=f"tcp://0.0.0.0:{PORT}",
        keys=str(keys.directory),
        announce=False,
    )
    return msgspec.structs.replace(
        config, gateway=endpoints, audio=AudioConfig(source=str(noise))
    ), key


class Visitors:
    """Subscribers that come and go, and one that was stopped."""

    def __init__(self, key: dict[str, SubscriberKey]) -> None:
        self._key = key
        self._there: dict[str, zmq.Socket[bytes]] = {}
        self._stopped = multiprocessing.get_context("spawn").Process(
            target=stopped, args=(ENDPOINT, key["stopped"])
        )

    def come_and_go(self, second: int) -> None:
        for name, period_s in (("guest", COME_AND_GO_S), ("unknown", UNKNOWN_S)):
            if second % period_s == 0:
                if name in self._there:
                    self._there.pop(name).close()
                self._there[name] = subscriber(ENDPOINT, self._key[name])

    def __enter__(self) -> "Visitors":
        self._stopped.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.kill()
        for socket in self._there.values():
            socket.close()


def soak(duration_s: float, report: Path | None) -> list[str]:
    """Run it; returns the table's lines."""
    config, key = prepare()
    tally, memory = Tally(), Memory()
    with running(config, "--screen", "none") as product, Visitors(key) as visitors:
        list(product.during(SETTLE_S))
        everything = subscriber(ENDPOINT, key["everything"])
        for second in _seconds(duration_s):
            _drain(everything, tally)
            list(product.during(0.0))
            visitors.come_and_go(second)
            if second == SETTLE_S:
                tally.start()
            if second % PRESS_S == 0:
                _press(product)
            if second % SAMPLE_S == 0:
                memory.sample(product, second)
            if second and second % WRITE_S == 0:
                _write(report, lines(tally, memory, second))
        everything.close()
    return lines(tally, memory, duration_s)


class Memory:
    """PSS of every process over time: (s, MB, MB of it anonymous)."""

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, float, float]]] = defaultdict(list)

    def sample(self, product: Product, at_s: float) -> None:
        pids = {**product.pids(), "run": product.process.pid}
        for name, pid in pids.items():
            self.samples[name].append((at_s, pss_mb(pid), pss_mb(pid, "Pss_Anon")))

    def slopes_mb_h(self, name: str) -> tuple[float, float]:
        """(all, anonymous): least squares over the samples after the warm-up; NaN if too few."""
        late = [sample for sample in self.samples[name] if sample[0] >= WARM_UP_S]
        if len(late) < 3:
            return float("nan"), float("nan")
        at_s, *parts = np.array(late).T
        every, anonymous = (float(np.polyfit(at_s / 3600, mb, 1)[0]) for mb in parts)
        return every, anonymous


def _seconds(duration_s: float) -> Iterator[int]:
    """Count them, each when it comes."""
    started_s = time.monotonic()
    for second in range(int(duration_s) + 1):
        time.sleep(max(0.0, started_s + second - time.monotonic()))
        yield second


def _drain(socket: "zmq.Socket[bytes]", tally: Tally) -> None:
    while socket.poll(0):
        tally.take(*pubsub.unpack(socket.recv_multipart()))


def _press(product: Product) -> None:
    press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
    send_once(product.config.endpoint("in"), "bench", "press", press)


def _write_noise(path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 3000, 48_000)
    soundfile.write(path, noise.astype(np.int16), 16_000)


def lines(tally: Tally, memory: Memory, took_s: float) -> list[str]:
    """The report's table."""
    rows = [
        ("minutes", f"{took_s / 60:.0f}", "60"),
        ("messages received at the remote endpoint", f"{tally.received}", ""),
        ("`face` a second", f"{len(tally.ages_ms) / max(took_s, 1):.1f}", "30"),
        (
            "age of `face` when it was published, p95",
            f"{percentile(tally.ages_ms or [0.0], 0.95):.0f} ms",
            "",
        ),
        ("lost (gaps in `seq`)", f"{tally.lost}", "0"),
        ("processes that were started again", f"{tally.restarts}", "0"),
        ("longest silence of a process's health", f"{tally.longest_silence_s:.1f} s", "5 s"),
        ("last values repeated for those who came", f"{tally.replayed}", ""),
    ]
    for name, samples in memory.samples.items():
        for part, slope in enumerate(memory.slopes_mb_h(name), 1):
            what = f"PSS of {name}" if part == 1 else f"its own part of that, {name}"
            first, last = samples[0][part], samples[-1][part]
            rows.append((what, f"{first:.1f} to {last:.1f} MB, {slope:+.2f} MB/h", "+1 MB/h"))
    return [
        "| what | measured | bar |",
        "|---|---|---|",
        *(f"| {what} | {value} | {bar} |" for what, value, bar in rows),
    ]


def _write(report: Path | None, table: list[str]) -> None:
    print("\n".join(table), flush=True)
    if report is None:
        return
    about = machine()
    report.write_text(
        "# Soak\n\nMade by `nice python -m benchmarks.soak 60 docs/reports/soak.md`: "
        f"{(__doc__ or '').partition(chr(10))[2].strip()}\n\n"
        f"Machine: {about['cpu']}, {about['cores']} cores, {about['system']}, "
        f"Python {about['python']}; shared with others.\n\n" + "\n".join(table) + "\n"
    )


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that its processes end, too
    minutes = float(sys.argv[1]) if sys.argv[1:] else MINUTES
    report = Path(sys.argv[2]) if sys.argv[2:] else None
    _write(report, soak(minutes * 60, report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
