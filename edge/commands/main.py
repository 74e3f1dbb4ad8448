"""The command `emotion-edge`: arguments, logging, signals, exit codes. Does none of the work.

Exit codes: 0 done or stopped, 1 something went wrong, 2 a command line that cannot be obeyed,
78 a configuration that cannot be used (systemd must not restart on it).
"""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge import __version__
from edge.bus.messages import SERVICES
from edge.bus.sockets import BusError
from edge.config import Config
from edge.config_file import load, with_overrides
from edge.errors import UserError
from edge.paths import (
    SYSTEM_DIRECTORY,
    keys_permission_denied,
    make_directory,
    user_runtime_directory,
)
from edge.runtime.malloc import TRIM_S, set_mmap_threshold, trim_heap

OK, FAILED, USAGE, BAD_CONFIG = 0, 1, 2, 78
LONGEST_S = 1e9


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class UsageError(UserError):
    """A command line that cannot be obeyed; the message is one line with the mend."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, obey, and turn every expected error into one line and its exit code."""
    options = make_parser().parse_args(arguments)
    set_logging(options.command)
    try:
        return int(options.obey(options))
    except UsageError as error:
        return complain(options.command, error, USAGE)
    except UserError as error:
        ours = options.command in ("keys", "watch")
        return complain(options.command, error, FAILED if ours else BAD_CONFIG)
    except BusError as error:
        listens = options.command in (*SERVICES, "run")
        return complain(options.command, error, BAD_CONFIG if listens else FAILED)
    except KeyboardInterrupt:
        return OK
    except BrokenPipeError:  # `watch | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def complain(command: str, error: Exception, code: int) -> int:
    print(f"emotion-edge {command}: {error}", file=sys.stderr)
    return code


def set_logging(command: str) -> None:
    logging.basicConfig(
        level=logging.INFO if command in SERVICES else logging.WARNING,
        format=f"{command}: %(message)s",
        stream=sys.stderr,
    )


def make_parser() -> argparse.ArgumentParser:
    """The command line of docs/contract.md."""
    parser = argparse.ArgumentParser(
        prog="emotion-edge", description="Emotions from faces and voices, on this device."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    for name in SERVICES:
        service = commands.add_parser(name, help=f"the {name} process, as systemd starts it")
        service.add_argument("--config", type=Path, metavar="F")
        service.set_defaults(obey=obey_service)
    _add_watch(commands)
    _add_keys(commands)
    _add_record(commands)
    _add_classify(commands)
    doctor = commands.add_parser("doctor", help="what is found, what is missing, how to mend it")
    doctor.set_defaults(obey=obey_doctor)
    return parser


def _add_run(commands: "Commands") -> None:
    run = commands.add_parser("run", help="everything, in this terminal, until Ctrl-C")
    run.add_argument("--config", type=Path, metavar="F", help="TOML settings")
    run.add_argument(
        "--camera",
        metavar="SRC",
        help="index, /dev/videoN, picamera, a file, a URL, a GStreamer pipeline, demo",
    )
    run.add_argument("--microphone", metavar="SRC", help="device name or index, or a sound file")
    run.add_argument("--screen", metavar="auto|window|framebuffer|none|FILE.png")
    run.add_argument("--duration", type=seconds, metavar="S", help="end after S seconds")
    run.set_defaults(obey=obey_run)


def seconds(text: str) -> float:
    """A duration. Raises ValueError, which argparse turns into its line."""
    value = float(text)
    if not 0 < value < LONGEST_S:
        raise ValueError(text)
    return value


def _add_watch(commands: "Commands") -> None:
    watch = commands.add_parser("watch", help="what is published")
    watch.add_argument(
        "endpoint", nargs="?", metavar="ENDPOINT", help="without it: this device, or who is there"
    )
    watch.add_argument("--key", type=Path, metavar="FILE", help="what `keys add` gave")
    watch.add_argument("--topic", action="append", metavar="T", help="may be given several times")
    watch.add_argument("--count", type=int, metavar="N", help="end after N messages")
    watch.add_argument("--json", action="store_true", help="one JSON object a line")
    watch.set_defaults(obey=obey_watch)


def _add_keys(commands: "Commands") -> None:
    keys = commands.add_parser("keys", help="who may subscribe from another host")
    keys.add_argument("--config", type=Path, metavar="F")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("make", help="the device's key, where there is none")
    add = actions.add_parser("add", help="let a subscriber in")
    add.add_argument("name", metavar="NAME")
    add.add_argument("file", nargs="?", type=Path, metavar="FILE", help="else to the terminal")
    actions.add_parser("list", help="who may pass")
    remove = actions.add_parser("remove", help="shut a subscriber out, at once")
    remove.add_argument("name", metavar="NAME")
    keys.set_defaults(obey=obey_keys)


def _add_record(commands: "Commands") -> None:
    record = commands.add_parser("record", help="what the button does, from this keyboard")
    record.add_argument("endpoint", nargs="?", metavar="ENDPOINT", help="the hub's inlet")
    record.set_defaults(obey=obey_record)


def _add_classify(commands: "Commands") -> None:
    classify = commands.add_parser("classify", help="emotions in images and sound files")
    classify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    classify.add_argument("--json", action="store_true", help="one JSON object a line")
    classify.set_defaults(obey=obey_classify)


def obey_service(options: argparse.Namespace) -> int:
    """One process: `edge.services.NAME.run` until a signal."""
    from edge.runtime.lock import (
        single_instance,  # where there is no fcntl, `watch` works all the same
    )
    from edge.runtime.loop import Loop

    config = load(options.config)
    name_process(options.command)
    loop = Loop()
    loop.stop_on_signals()
    loop.call_every(TRIM_S, trim_heap)
    set_mmap_threshold()
    make_directory(config.directory)
    with single_instance(folder_of_locks(config.directory), options.command):
        importlib.import_module(f"edge.services.{options.command}").run(config, loop)
    return OK


def folder_of_locks(directory: Path) -> Path:
    """The runtime folder, or the user's own where the service lets us in without writing."""
    if directory != SYSTEM_DIRECTORY or os.access(directory, os.W_OK):
        return directory
    make_directory(user_runtime_directory())
    return user_runtime_directory()


def name_process(name: str) -> None:
    """Let `top` and `ps -A` tell the processes apart. proc_pid_comm(5)"""
    Path("/proc/self/comm").write_text(f"edge-{name}")


def obey_run(options: argparse.Namespace) -> int:
    from edge.commands import run as supervisor
    from edge.runtime.lock import single_instance
    from edge.runtime.loop import Loop

    config = load(options.config)
    loop = Loop()
    loop.stop_on_signals()
    make_directory(config.directory)
    with single_instance(config.directory, "run"):
        effective = config.directory / "run.json"
        effective.write_bytes(msgspec.json.encode(with_options(config, options)))
        try:
            return supervisor.run(config, effective, options.duration, loop)
        finally:
            effective.unlink(missing_ok=True)


def with_options(config: Config, options: argparse.Namespace) -> Config:
    """The settings with the command line's put in and checked. Raises UsageError."""
    from edge.devices.camera import source as camera_source
    from edge.devices.microphone import portaudio as microphone

    given = [
        ("camera", "source", options.camera),
        ("audio", "source", options.microphone),
        ("display", "screen", options.screen),
    ]
    config = with_overrides(config, [(s, k, v) for s, k, v in given if v is not None])
    try:
        check_text(value for _, _, value in given)
        camera_source.check_source(config.camera.source)
        microphone.check_source(config.audio.source)
        check_screen(config.display.screen)
    except UserError as error:
        raise UsageError(str(error)) from error
    if config.camera.source == "auto" and camera_source.find_camera() is None:
        print("no camera found: showing the demo (choose one with --camera)", file=sys.stderr)
        return with_overrides(config, [("camera", "source", "demo")])
    return config


def check_text(values: Iterable[str | None]) -> None:
    """Raises UsageError for a file name that no settings file can hold."""
    for value in values:
        try:
            (value or "").encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{value!r}: not a name in UTF-8; rename the file") from error


def check_screen(screen: str) -> None:
    """Raises UsageError where `screen` is no kind of screen."""
    from edge.paths import is_folder

    if screen in ("auto", "window", "framebuffer", "none"):
        return
    path = Path(screen)
    if path.suffix.lower() != ".png":
        raise UsageError(
            f"no such screen: {screen}; write auto, window, framebuffer, none or FILE.png"
        )
    if is_folder(path):
        raise UsageError(f"{screen}: a folder; name a file in it")
    if not is_folder(path.absolute().parent):
        raise UsageError(f"{path.parent}: no such folder for the picture")


def obey_watch(options: argparse.Namespace) -> int:
    from edge.client import Subscription
    from edge.commands import watch

    topics, count, as_json = options.topic or [""], options.count, options.json
    if options.endpoint is None:
        choose = not (options.topic or count or as_json)
        return watch.watch_here(load(), topics, count, as_json, choose)
    with Subscription(options.endpoint, topics, options.key) as device:
        return watch.watch(device, count, as_json)


def obey_keys(options: argparse.Namespace) -> int:
    from edge.bus import keys

    config = load(options.config)
    if not config.bus.keys and keys_permission_denied():
        raise keys.KeysError("the service's keys are closed to you; say it again with sudo")
    there = keys.Keys(config.keys_directory)
    if options.action == "make":
        made = "made" if there.make() else "there is one already:"
        print(f"{made} {there.directory}/device.key; public: {there.public()}")
    elif options.action == "add":
        there.export(there.add(options.name, config.device_name), options.file)
    elif options.action == "list":
        print(*sorted(there.allowed().values()), sep="\n")
    else:
        there.remove(options.name)
    return OK


def obey_record(options: argparse.Namespace) -> int:
    from edge.commands import record

    return record.record(load(), options.endpoint)


def obey_classify(options: argparse.Namespace) -> int:
    from edge.commands import classify

    return classify.classify(load(), options.files, options.json)


def obey_doctor(_: argparse.Namespace) -> int:
    from edge.commands import doctor

    return doctor.doctor(load())
