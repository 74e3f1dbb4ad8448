"""The face process: the newest frame becomes one `face` message."""

import time
from contextlib import closing

from edge.bus.frames import FrameSubscriber
from edge.bus.messages import TOPICS, FaceMessage
from edge.bus.pubsub import Publisher
from edge.config import Config
from edge.devices.camera.source import OFF
from edge.devices.soc import Soc
from edge.pipeline.face import FaceAnalyzer
from edge.policy.thermal import ThermalThrottle
from edge.runtime.loop import Loop
from edge.services.health import PERIOD_S, Health, serve_off

NO_FRAMES_S = 2.0
"""After this long without a frame the service is degraded."""


class FaceService:
    """From a frame to a `face` message."""

    def __init__(
        self,
        frames: FrameSubscriber,
        publisher: Publisher,
        analyzer: FaceAnalyzer,
        health: Health,
        soc: Soc,
    ) -> None:
        self._frames = frames
        self._publisher = publisher
        self._analyzer = analyzer
        self._health = health
        self._soc = soc
        self._throttle = ThermalThrottle(soc.limit_c)
        self._last_s = time.monotonic()
        self._due_ns = 0
        self._passed_over = 0

    def on_frame(self) -> None:
        """Take the newest frame; older ones are gone and counted as dropped."""
        frame = self._frames.receive()
        if frame is None:
            return
        # An old one waited while this process stood still.
        current = TOPICS["face"].is_current(frame.age_ms() / 1e3)
        if not current or not self._is_due(frame.t_ns):
            self._passed_over += 1
            return
        started_s = self._last_s = time.monotonic()
        faces = self._analyzer.analyze(frame.image, frame.t_ns / 1e9)
        self._publisher.publish(
            "face",
            FaceMessage(
                t_ns=frame.t_ns,
                time=frame.time,
                frame_seq=frame.seq,
                frame_size=frame.size,
                faces=faces,
                inference_ms=round((time.monotonic() - started_s) * 1e3, 2),
            ),
        )
        self._health.clear_problem("camera")
        self._health.count()
        self._health.ready()
        self._health.dropped = self._frames.missed + self._frames.bad + self._passed_over

    def _is_due(self, t_ns: int) -> bool:
        """Whether a frame of this time is taken, by the rate that the heat allows."""
        rate_hz = self._throttle.rate_hz
        if rate_hz is None:
            return True
        if t_ns < self._due_ns:
            return False
        period_ns = round(1e9 / rate_hz)
        late_ns = t_ns - self._due_ns
        self._due_ns = t_ns + period_ns - (late_ns if late_ns < period_ns else 0)
        return True

    def check_temperature(self) -> None:
        """Slow down before the board does, and report it."""
        celsius, throttled = self._soc.read()
        self._health.soc_c, self._health.throttled = celsius, throttled
        self._throttle.update(time.monotonic(), celsius, throttled)
        problem = self._throttle.describe(throttled)
        if problem:
            self._health.set_problem("heat", problem)
        else:
            self._health.clear_problem("heat")

    def check_frames(self) -> None:
        """Report that no frames come; the camera's own health has the reason."""
        if time.monotonic() - self._last_s > NO_FRAMES_S:
            self._health.set_problem("camera", "no frames from the camera")
            self._health.feed_watchdog()
            self._health.ready()


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ModelError."""
    if config.camera.source == OFF:
        with closing(Publisher(config.endpoint("in"), config.device_name)) as publisher:
            serve_off(Health(publisher, "face", loop), loop)
        return
    serve(config, loop, FaceAnalyzer.from_config(config.face, config.threads), Soc())


def serve(config: Config, loop: Loop, analyzer: FaceAnalyzer, soc: Soc) -> None:
    """Put the service together and let it work until the loop stops."""
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(FrameSubscriber(config.endpoint("frames"))) as frames,
    ):
        health = Health(publisher, "face", loop)
        health.about = analyzer.detector.about
        service = FaceService(frames, publisher, analyzer, health, soc)
        loop.add_reader(frames.socket, service.on_frame)
        loop.call_every(PERIOD_S, service.check_frames)
        loop.call_every(PERIOD_S, service.check_temperature)
        loop.run()
