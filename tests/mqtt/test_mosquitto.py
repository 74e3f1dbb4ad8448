"""The figures that the mqtt service promises, against a real Mosquitto: `pytest -s` prints them."""

import itertools
import os
import random
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("paho", reason="no paho-mqtt: pip install -e '.[mqtt]'")

from edge.bus.messages import Press
from edge.config import Config
from tests.conftest import Measured
from tests.support.bus import RATE_HZ, Bus, service
from tests.support.harness import (
    free_port,
    listening,
    wait_for,
    write_config,
)
from tests.support.hosts import needs_hosts, two_hosts
from tests.support.mosquitto import (
    Client,
    Mosquitto,
    client,
    needs_mosquitto,
    with_broker,
)
from tests.support.sizes import FULL
from tests.system.test_idle import written_bytes

pytestmark = [needs_mosquitto, pytest.mark.timeout(1200)]

RESTARTS = 20 if FULL else 3
FACES = 3600 * RATE_HZ if FULL else 3000
COMPRESSED_S = 0.1 / RATE_HZ
FORGED = 10_000 if FULL else 1000
WATCH_S = 60 if FULL else 10
CHANGES = 40 if FULL else 8
TICK = os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def pss_mb(pid: int) -> float:
    """proc_pid_smaps(5)"""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("Pss:"))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def until_state(watcher: Client, state: str, since: int, timeout_s: float = 60.0) -> float:
    """When availability became so."""
    return watcher.until("/availability", lambda m: m.text == state, since, timeout_s).at_s


def test_a_killed_process_is_offline_at_once_and_back_soon(
    with_hub: Config, broker: Mosquitto, measured: Measured
) -> None:
    config = with_broker(with_hub, broker)
    with client(broker) as watcher:
        with service(config) as process:
            until_state(watcher, "online", 0)
            since, killed_s = len(watcher.received), time.monotonic()
            process.kill()
            offline_s = until_state(watcher, "offline", since) - killed_s
        since, started_s = len(watcher.received), time.monotonic()
        with service(config):
            online_s = until_state(watcher, "online", since) - started_s
    measured("kill -9 of the mqtt process to offline", offline_s, 1, "s")
    measured("its start to online", online_s, 5, "s")


def test_a_process_that_stands_still_is_offline_and_comes_back(
    with_hub: Config, broker: Mosquitto, measured: Measured
) -> None:
    with client(broker) as watcher, service(with_broker(with_hub, broker)) as process:
        until_state(watcher, "online", 0)
        since, stopped_s = len(watcher.received), time.monotonic()
        process.send_signal(signal.SIGSTOP)
        offline_s = until_state(watcher, "offline", since) - stopped_s
        since, continued_s = len(watcher.received), time.monotonic()
        process.send_signal(signal.SIGCONT)
        online_s = until_state(watcher, "online", since) - continued_s
    measured("SIGSTOP of the mqtt process to offline", offline_s, 30, "s")
    measured("SIGCONT to online", online_s, 5, "s")


@needs_hosts
@pytest.mark.root
@pytest.mark.parametrize("more_s", [0.0, 3.0, 20.0] if FULL else [0.0])
def test_a_cable_that_is_out_is_offline_and_back_when_it_is_in(
    directory: Path, config: Config, more_s: float, measured: Measured
) -> None:
    """`more_s`: from offline until it is in again."""
    with two_hosts(directory) as (device, other):
        port = free_port()
        broker = Mosquitto(
            directory, f"listener {port} 0.0.0.0\nlistener 0 {directory}/mqtt.sock\n"
        )
        broker.prefix, broker.local = ["ip", "netns", "exec", other.name], f"{directory}/mqtt.sock"
        broker.start()
        wait_for(Path(broker.local).exists, "mosquitto listens")
        wanted = with_broker(config, broker, broker=f"mqtt://{other.address}:{port}")
        file = write_config(wanted, directory / "config.json")
        hub = device.start(f"exec emotion-edge hub --config {file}")
        process = device.start(f"exec emotion-edge mqtt --config {file}")
        try:
            with client(broker) as watcher:
                until_state(watcher, "online", 0)
                since, out_s = len(watcher.received), time.monotonic()
                device.link("down")
                offline_s = until_state(watcher, "offline", since) - out_s
                time.sleep(more_s)
                since, in_s = len(watcher.received), time.monotonic()
                device.link("up")
                online_s = until_state(watcher, "online", since) - in_s
        finally:
            for child in (process, hub):
                child.kill()
                child.wait()
            broker.stop()
    measured("cable out to offline", offline_s, 30, "s")
    measured(f"cable in after {offline_s + more_s:.0f} s to online", online_s, 5, "s")


def test_a_broker_that_lost_its_store_has_everything_again(
    with_hub: Config,
    broker: Mosquitto,
    bus: Bus,
    measured: Measured,
) -> None:
    names = ("/config", "/availability", "test/emotion", "test/faces", "health/hub", "health/mqtt")
    slowest_s, before_mb = 0.0, 0.0
    with service(with_broker(with_hub, broker)) as process, client(broker) as first:
        bus.faces_for(2.0)
        until_state(first, "online", 0)
        for number in range(RESTARTS + 1):
            broker.restart()
            started_s = time.monotonic()
            with client(broker) as later:
                while not all(later.on(name) for name in names):
                    bus.faces_for(0.1)
                    assert time.monotonic() - started_s < 60, {*names} - {
                        name for name in names if later.on(name)
                    }
                slowest_s = max(slowest_s, time.monotonic() - started_s)
                bus.faces_for(1.0)
            if number == 0:
                before_mb = rss_mb(process.pid)  # the first reconnection loads what it needs
        growth_mb = rss_mb(process.pid) - before_mb
    measured(f"broker restarted {RESTARTS} times without its store, all back", slowest_s, 35, "s")
    measured("growth of the mqtt process over that", growth_mb, 1, "MB")


def test_an_hour_without_broker_costs_nothing_and_the_recordings_arrive_once(
    with_hub: Config,
    broker: Mosquitto,
    bus: Bus,
    measured: Measured,
) -> None:
    """As many messages as an hour has, ten times as fast: faster, they wait in its buffers."""
    with service(with_broker(with_hub, broker)) as process, client(broker) as watcher:
        until_state(watcher, "online", 0)
        bus.faces_for(3.0)
        broker.stop()
        with listening(with_hub.endpoint("out"), "health.mqtt") as listener:
            listener.until(lambda _, m: m.state == "degraded")  # type: ignore[attr-defined]
            for _ in range(FACES // 10):  # at the same rate: its buffers are as large as they get
                bus.face()
                time.sleep(COMPRESSED_S)
            bus.faces_for(1.0)
            before_mb = rss_mb(process.pid)
            for number in range(60):
                for _ in range(FACES // 60):
                    bus.face()
                    time.sleep(COMPRESSED_S)
                bus.voice(number)
            listener.topic("health.mqtt")
            bus.faces_for(1.0)
            growth_mb = rss_mb(process.pid) - before_mb
        broker.start()
        with client(broker) as later:
            later.until("voice/event", lambda m: m["level_dbfs"] == -59.0, timeout_s=40)
            bus.faces_for(3.0)
            later.until("test/health/hub")
            events = [m["level_dbfs"] for m in later.on("voice/event")]
            states = {name: len(later.on(f"test/{name}")) for name in ("emotion", "faces", "voice")}
    measured("growth in an hour without broker", growth_mb, 2, "MB")
    assert events == [-float(number) for number in range(60)]
    assert states == {"emotion": 1, "faces": 1, "voice": 1}


@pytest.mark.skipif(not FULL, reason="takes a minute: EMOTION_EDGE_FULL=1")
def test_what_a_broker_that_stands_still_did_not_take_comes_in_order_and_changes_do_not(
    with_hub: Config, broker: Mosquitto, bus: Bus, measured: Measured
) -> None:
    """Its host accepts connections and nobody answers: that is noticed after half a minute."""
    with service(with_broker(with_hub, broker)), client(broker) as watcher:
        until_state(watcher, "online", 0)
        bus.faces_for(3.0)
        assert broker.process is not None
        broker.process.send_signal(signal.SIGSTOP)
        for number in range(50):
            bus.voice(number)
            bus.change("happy", "sad")
            bus.faces_for(1.0)
        continued = time.time()
        broker.process.send_signal(signal.SIGCONT)
        watcher.until("voice/event", lambda m: m["level_dbfs"] == -49.0, timeout_s=40)
        events = [m["level_dbfs"] for m in watcher.on("voice/event")]
        times = [float(str(m["time"])) for m in watcher.on("test/change")]
    assert events == [-float(number) for number in range(50)]
    late = [at for at in times if at < continued - 10]
    measured("changes of a broker's 50 s without an answer that came after it", len(late), 1, "")


def test_forged_presses_record_at_most_one_at_a_time(
    with_hub: Config, broker: Mosquitto, measured: Measured
) -> None:
    topic, chance = "emotion-edge/test/record", random.Random(1)
    forged = [
        b"PRESS",
        b"\xff" * 100,
        b"[" * 5000,
        b'{"a":' * 1000,
        b"PRESS\0",
        b"press",
        b"",
        bytes(10**6),
    ]
    with client(broker, "none") as attacker:
        attacker.publish(topic, b"PRESS", retain=True)
        config = with_broker(with_hub, broker, record=True)
        with (
            listening(with_hub.endpoint("out"), "press", "health.mqtt") as listener,
            service(config) as process,
            client(broker) as watcher,
        ):
            until_state(watcher, "online", 0)
            listener.topic("health.mqtt")
            assert [m for _, m in listener.received if isinstance(m, Press)] == []
            watcher.close()
            started_s = time.monotonic()
            for _ in range(FORGED):
                one = forged[-1] if chance.random() < 0.01 else chance.choice(forged[:-1])
                attacker.publish(topic, one, retain=chance.random() < 0.5, qos=0)
            attacker.publish("emotion-edge/test/last", b"")
            took_s = time.monotonic() - started_s
            listener.topic("health.mqtt")
            listener.topic("health.mqtt")
            presses = [m for _, m in listener.received if isinstance(m, Press)]
            assert process.poll() is None
    gaps_s = [(b.t_ns - a.t_ns) / 1e9 for a, b in itertools.pairwise(presses)]
    measured(f"{FORGED} forged presses in {took_s:.1f} s, reached the bus", len(presses), None, "")
    assert presses and min(gaps_s, default=1.0) >= 1.0


def test_it_is_small_and_sleeps_most_of_the_time(
    with_hub: Config,
    broker: Mosquitto,
    bus: Bus,
    measured: Measured,
) -> None:
    with service(with_broker(with_hub, broker)) as process, client(broker) as watcher:
        until_state(watcher, "online", 0)
        bus.faces_for(3.0)
        written = written_bytes(process.pid)
        before_s, started_s = cpu_s(process.pid), time.monotonic()
        bus.faces_for(WATCH_S)
        assert written_bytes(process.pid) == written
        share = (cpu_s(process.pid) - before_s) / (time.monotonic() - started_s)
        measured("mqtt process, PSS", pss_mb(process.pid), 30, "MB")
    measured("mqtt process at 30 faces a second, of a core", 100 * share, 1, "%")


def test_a_change_of_the_face_is_at_the_broker_soon(
    with_hub: Config,
    broker: Mosquitto,
    bus: Bus,
    measured: Measured,
) -> None:
    took_s = []
    with service(with_broker(with_hub, broker)), client(broker) as watcher:
        until_state(watcher, "online", 0)
        bus.faces_for(3.0)
        for number in range(CHANGES):
            label = ("sad", "happy")[number % 2]
            since, changed_s = len(watcher.received), time.monotonic()
            bus.faces_for(1.6 + random.random(), label)
            sent = watcher.until(
                "test/emotion", lambda m, label=label: m["emotion"] == label, since
            )
            took_s.append(sent.at_s - changed_s)
    p95_s = sorted(took_s)[int(0.95 * (len(took_s) - 1))]
    measured("a changed emotion of the bus to the broker, p95", p95_s, 1.5, "s")


def test_a_press_is_on_the_bus_soon(
    with_hub: Config, broker: Mosquitto, measured: Measured
) -> None:
    took_s = []
    with (
        listening(with_hub.endpoint("out"), "press") as listener,
        service(with_broker(with_hub, broker, record=True)),
        client(broker) as watcher,
    ):
        until_state(watcher, "online", 0)
        for _ in range(CHANGES):
            time.sleep(1.1)
            pressed_s = time.monotonic()
            watcher.publish("emotion-edge/test/record", b"PRESS")
            listener.topic("press")
            took_s.append(time.monotonic() - pressed_s)
    measured("a press at the broker to the bus, slowest", 1000 * max(took_s), 300, "ms")
