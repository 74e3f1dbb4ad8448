"""`emotion-edge doctor`: what is found, what is missing, and how to fix it. Changes nothing."""

import importlib.util
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from edge import __version__
from edge.bus.messages import SERVICES, HealthMessage
from edge.bus.pubsub import Subscriber
from edge.commands.text import counted, print_line, printable_json, size
from edge.config import Config
from edge.errors import ConfigError, ExitCode, UserError
from edge.paths import (
    SYSTEM_CONFIG,
    SYSTEM_DIRECTORY,
    bus_permission_denied,
    check_directory,
)

LISTEN_S = 2.5
"""Every running service publishes its health within this."""
State = Literal["ok", "missing", "broken"]
INSTALL = "in the checkout: pip install -e '.[device]'"
AS_MEMBER = "sudo usermod -aG emotion-edge $USER, then log in again; or sudo"
READY = "ready: emotion-edge run"
MARK = {"ok": "ok     ", "missing": "missing", "broken": "BROKEN "}


class Finding(NamedTuple):
    state: State
    """missing = it runs without; broken = it does not run."""
    what: str
    detail: str
    fix: str = ""


Check = Callable[[Config], Iterator[Finding]]


def doctor(config: Config, config_file: Path | None, as_json: bool = False) -> int:
    """Print every finding. Returns 0, or 1 where something keeps the product from running."""
    problems = 0
    for finding in chain(check_program(config_file), *(guarded(check, config) for check in CHECKS)):
        problems += finding.state == "broken"
        for line in [_json_line(finding)] if as_json else _lines(finding):
            print_line(line)
    if not as_json:
        print_line()
        print_line(f"{problems} problem{'s' * (problems > 1)} to fix" if problems else READY)
    return ExitCode.FAILED if problems else ExitCode.OK


def _lines(finding: Finding) -> list[str]:
    fix = [f"{'':22}fix: {finding.fix}"] if finding.fix else []
    return [f"{MARK[finding.state]}  {finding.what:<13}{finding.detail}", *fix]


def _json_line(finding: Finding) -> str:
    return printable_json(msgspec.json.encode(finding._asdict()).decode())


def guarded(check: Check, config: Config) -> Iterator[Finding]:
    """What the check finds; a package that it lacks is a finding, too."""
    try:
        yield from check(config)
    except ModuleNotFoundError as error:
        if (error.name or "edge").startswith("edge"):
            raise  # a bug
        what = check.__name__.removeprefix("check_")
        yield Finding("broken", what, f"{error.name} is not installed", INSTALL)


def check_program(config_file: Path | None) -> Iterator[Finding]:
    detail = f"emotion-edge {__version__}, Python {platform.python_version()}, {platform.machine()}"
    yield Finding("ok", "program", f"{detail}, {_board()}")
    system = SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else "the defaults"
    yield Finding("ok", "settings", str(config_file or system))


def _board() -> str:
    """This computer's name in the device tree."""
    model = Path("/proc/device-tree/model")
    return model.read_text().rstrip("\0") if model.exists() else platform.system()


def check_board(_: Config) -> Iterator[Finding]:
    from edge.devices.soc import Soc

    celsius, throttled = Soc().read()
    if celsius is not None:
        yield Finding("ok", "temperature", f"{celsius:.0f} °C")
    if throttled:
        fix = "cool the board, or use a stronger power supply"
        yield Finding("missing", "speed", "the board is throttled now", fix)


def check_models(config: Config) -> Iterator[Finding]:
    from edge.inference.face_emotion import raters_share_of
    from edge.inference.interpreter import import_runtime, open_model

    try:
        yield Finding("ok", "runtime", import_runtime(None)[0])
    except UserError as error:
        yield Finding("broken", "runtime", str(error))
        return
    for what, kind, path in (
        ("face model", "face-emotion", config.face.model),
        ("voice model", "speech-emotion", config.audio.model),
        ("speech gate", "speech-activity", config.audio.activity_model),
    ):
        try:
            card, _ = open_model(Path(path), kind, config.threads)
            about = f"{card.name} {card.version}"
            if kind == "face-emotion":
                share = raters_share_of(card, config.face.raters_share, Path(path))
                about += f", raters' share {share:g}" if card.raters else ""
        except UserError as error:
            yield Finding("broken", what, str(error))
        else:
            yield Finding("ok", what, about)


def check_detector(config: Config) -> Iterator[Finding]:
    from edge.inference.yunet import YUNET_PATH, YUNET_SHA256
    from edge.pipeline.face import detector_from_config

    try:
        about = detector_from_config(config.face.detector).about
    except UserError as error:
        yield Finding("broken", "detector", str(error))
        return
    if config.face.detector.kind == "haar" or YUNET_PATH.exists() or config.face.detector.model:
        yield Finding("ok", "detector", about)
        return
    yield Finding(
        "missing",
        "detector",
        about,
        f"fetch YuNet's weights: deploy/fetch-detector.sh, or put them at {YUNET_PATH} "
        f"(sha256 {YUNET_SHA256[:12]}...)",
    )


def check_camera(config: Config) -> Iterator[Finding]:
    from edge.commands.camera_turn import picture_problem
    from edge.devices.camera.source import (
        OFF,
        check_device,
        check_source,
        device_path,
        find_camera,
    )

    source = config.camera.source
    try:
        check_source(source)
        found = find_camera() if source == "auto" else source
        if found is not None and (device := device_path(found)) is not None:
            check_device(device)
    except (UserError, OSError) as error:
        yield Finding("missing", "camera", str(error))
        return
    if found is None:
        yield Finding(
            "missing",
            "camera",
            "none found",
            "plug one in; until then `emotion-edge run` shows the demo",
        )
    elif found == OFF:
        yield Finding("ok", "camera", "off, as camera.source is none")
    else:
        problem = picture_problem(config)
        yield Finding("missing", "camera", *problem) if problem else Finding("ok", "camera", found)


def check_microphone(config: Config) -> Iterator[Finding]:
    from edge.devices.microphone import OFF
    from edge.devices.microphone.portaudio import MicrophoneError, find_microphone

    if config.audio.source == OFF:
        yield Finding("ok", "microphone", "off")
        return
    try:
        yield Finding("ok", "microphone", find_microphone(config.audio.source))
    except UserError as error:
        yield Finding("broken", "microphone", str(error))
    except MicrophoneError as error:
        yield Finding("missing", "microphone", str(error))


def check_button(config: Config) -> Iterator[Finding]:
    wanted = config.audio.button
    if wanted.input:
        yield _check_key(Path(wanted.input))
    elif wanted.chip:
        yield _check_line(Path(wanted.chip), wanted.line)
    else:
        yield _check_pin(wanted.pin)
    if wanted.power_off_s:
        yield Finding("ok", "button", f"held for {wanted.power_off_s:g} s: power off")


def _check_key(path: Path) -> Finding:
    from edge.devices.button.input_key import explain

    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return Finding("missing", "button", explain(path, error))
    return Finding("ok", "button", f"key of {path}")


def _check_line(chip: Path, line: int | None) -> Finding:
    from edge.devices.button.gpio_line import chip_number
    from edge.devices.button.header import ButtonError

    try:
        chip_number(chip)
    except ButtonError as error:
        return Finding("missing", "button", str(error))
    if importlib.util.find_spec("lgpio") is None:
        return Finding("missing", "button", "no lgpio", "sudo apt install python3-lgpio")
    return Finding("ok", "button", f"line {line} of {chip} to ground")


def _check_pin(pin: int) -> Finding:
    from edge.devices.button.header import board_chips, inaccessible_chip

    closed = inaccessible_chip()
    if closed is not None:
        fix = "sudo usermod -aG gpio $USER, then log in again"
        return Finding("missing", "button", f"no permission on {closed}", fix)
    if board_chips():
        return Finding("ok", "button", f"GPIO{pin} (BCM) to ground")
    return Finding("missing", "button", "no GPIO here; `emotion-edge record` records as well")


def check_screen(config: Config) -> Iterator[Finding]:
    from edge.devices.screen import is_desktop

    framebuffer = Path(config.display.framebuffer)
    if is_desktop():
        yield Finding("ok", "screen", "a window on this desktop")
    elif os.access(framebuffer, os.R_OK | os.W_OK):
        yield Finding("ok", "screen", f"{framebuffer}, without a desktop")
    elif framebuffer.exists():
        fix = "sudo usermod -aG video $USER, then log in again"
        yield Finding("missing", "screen", f"no permission on {framebuffer}", fix)
    else:
        yield Finding("missing", "screen", "none; results are published all the same")


def check_mqtt(config: Config) -> Iterator[Finding]:
    """Each step to the broker; nothing where it is off."""
    if not config.mqtt.broker:
        return
    if importlib.util.find_spec("paho") is None:
        fix = "in the checkout: pip install -e '.[mqtt]'"
        yield Finding("broken", "mqtt", "paho is not installed", fix)
        return
    from edge.devices.broker import probe
    from edge.pipeline.mqtt import account, identity

    try:
        me = identity(config)
        wanted = account(config, f"{me.device_id}_doctor")
    except UserError as error:
        fix = AS_MEMBER if isinstance(error.__cause__, PermissionError) else ""
        yield Finding("broken", "mqtt", str(error), fix)
        return
    for step, found, why in probe(wanted, f"{me.base}/doctor"):
        detail = f"{step}: {found}"
        yield Finding("missing" if why else "ok", "mqtt", f"{detail}: {why}" if why else detail)


def check_web(config: Config) -> Iterator[Finding]:
    """Whether the pages can be served, and to whom; nothing where they are off."""
    if not config.web.bind:
        return
    if importlib.util.find_spec("tornado") is None:
        fix = "in the checkout: pip install -e '.[web]'"
        yield Finding("broken", "web", "tornado is not installed", fix)
        return
    from edge.web.certificate import tls_context, validity_problem
    from edge.web.secrets import Secrets
    from edge.web.server import addresses_of, check_login

    try:
        access = Secrets(config.web_directory).read()
        check_login(config, access)
        tls_context(config)
    except UserError as error:
        yield Finding("broken", "web", str(error))
        return
    login = "with a password" if access.admin or access.viewer else "without a password"
    yield Finding("ok", "web", f"{addresses_of(config)}, {login}")
    if problem := validity_problem(config, time.time()):
        yield Finding("missing", "web", problem, "make or fetch a new one")


def check_recorder(config: Config) -> Iterator[Finding]:
    """Where results are kept; nothing where they are not."""
    if not config.recorder.keep_days:
        return
    from edge.recordings.days import days_in, total_bytes

    directory = config.recordings_directory
    try:
        days = counted(len(days_in(directory)), "day")
        about = f"{days}, {size(total_bytes(directory))} in {directory}"
    except OSError as error:
        fix = "it is for the service's own user; sudo shows it"
        yield Finding("ok", "recordings", f"{directory}: {error.strerror}", fix)
        return
    yield Finding("ok", "recordings", about)


def check_services(config: Config) -> Iterator[Finding]:
    """Which services run, and their health."""
    try:
        health = _listen(config) if check_directory(config.directory) else {}
    except ConfigError as error:
        yield Finding("broken", "processes", str(error))
        return
    if not health and bus_permission_denied():
        detail = f"permission denied on {SYSTEM_DIRECTORY}"
        yield Finding("missing", "processes", detail, AS_MEMBER)
        return
    if not health:
        yield Finding("ok", "processes", f"none running in {config.directory}")
        return
    for name in (*SERVICES, *config.optional_services):
        message = health.get(f"health.{name}")
        if message is None:
            yield Finding("missing", name, "not running")
        elif message.state == "ok":
            yield Finding("ok", name, f"running. {message.detail}".rstrip(". "))
        else:
            yield Finding("missing", name, f"{message.state}: {message.detail}")


def _listen(config: Config) -> dict[str, HealthMessage]:
    """{topic: the last health message} of every service."""
    received: dict[str, HealthMessage] = {}
    deadline_s = time.monotonic() + LISTEN_S
    with closing(Subscriber(config.endpoint("out"), ["health."])) as subscriber:
        wanted = len(SERVICES) + len(config.optional_services)
        while len(received) < wanted and (left_s := deadline_s - time.monotonic()) > 0:
            subscriber.socket.poll(int(left_s * 1e3))
            new = subscriber.receive()
            received.update((t, m) for t, m in new if isinstance(m, HealthMessage))
    return received


CHECKS: tuple[Check, ...] = (
    check_board,
    check_models,
    check_detector,
    check_camera,
    check_microphone,
    check_button,
    check_screen,
    check_mqtt,
    check_recorder,
    check_web,
    check_services,
)
