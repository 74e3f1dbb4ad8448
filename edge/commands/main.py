"""The command `emotion-edge`: arguments, logging, dispatch, exit codes. Does none of the work.

A command's own file is imported when the command is chosen: `watch` needs no more than a client.
Exit codes: 0 done or stopped, 1 something went wrong or a crash, 2 invalid arguments, 78 bad
configuration (systemd must not restart on it).
"""

import argparse
import io
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.bus.messages import SERVICES
from edge.bus.sockets import BusError
from edge.commands.text import OutputError, print_error, printable
from edge.config.file import load
from edge.errors import ConfigError, ExitCode, UsageError, UserError
from edge.runtime.process import (
    check_descriptor_limit,
    configure_libraries,
    open_standard_streams,
)

MAX_DURATION_S = 1e9

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and turn every expected error into one line and its exit code."""
    configure_libraries()
    set_output()
    options = make_parser().parse_args(arguments)
    set_logging(options.command)
    try:
        check_descriptor_limit()
        return int(options.func(options))
    except (UserError, BusError) as error:
        print_error(options.command, error)
        return exit_code(error, options.command)
    except ModuleNotFoundError as error:
        if (error.name or "edge").startswith("edge"):
            raise  # a bug
        fix = "this needs the device extra; in the checkout: pip install -e '.[device]'"
        print_error(options.command, f"{error.name} is not installed: {fix}")
        return ExitCode.BAD_CONFIG
    except KeyboardInterrupt:
        return ExitCode.OK
    except BrokenPipeError:  # `watch | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK


def exit_code(error: Exception, command: str) -> ExitCode:
    """What the settings name is theirs to put right; a key or an address is the command line's."""
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, OutputError):
        return ExitCode.FAILED
    if isinstance(error, ConfigError) or command not in ("keys", "record", "watch"):
        return ExitCode.BAD_CONFIG
    return ExitCode.FAILED


def set_output() -> None:
    """Have stdout and stderr, and show as escapes what their encoding lacks."""
    open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class PrintableFormatter(logging.Formatter):
    """Log lines hold names of files, devices and hosts."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))


def set_logging(command: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter(f"{command}: %(message)s"))
    level = logging.INFO if command in SERVICES else logging.WARNING
    logging.basicConfig(level=level, handlers=[handler])


def make_parser() -> argparse.ArgumentParser:
    """The command line of docs/contract.md."""
    parser = argparse.ArgumentParser(
        prog="emotion-edge", description="Emotions from faces and voices, on this device."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_run(commands)
    add_watch(commands)
    record = add_command(commands, cmd_record, "record, as the button does, from this keyboard")
    record.add_argument(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        help="ipc://FOLDER/in of another runtime folder, the hub's input",
    )
    classify = add_command(commands, cmd_classify, "emotions in images and sound files")
    classify.add_argument("files", nargs="+", type=Path, metavar="FILE")
    classify.add_argument("--json", action="store_true", help="one JSON object a line")
    add_command(commands, cmd_doctor, "what is found, what is missing, how to fix it")
    add_keys(commands)
    for name in SERVICES:
        service = commands.add_parser(name, description=f"The {name} process, for systemd.")
        service.set_defaults(func=cmd_service)
        add_config(service)
    return parser


def add_command(
    commands: "Commands", func: Callable[[Namespace], int], about: str
) -> argparse.ArgumentParser:
    """A command that is called as its function, in the list of commands."""
    name = func.__name__.removeprefix("cmd_")
    command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    command.set_defaults(func=func)
    add_config(command)
    return command


def add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="F", help="settings (TOML)")


def add_run(commands: "Commands") -> None:
    run = add_command(commands, cmd_run, "everything, in this terminal, until Ctrl-C")
    run.add_argument(
        "--camera",
        dest="camera.source",
        metavar="SRC",
        help="index, /dev/videoN, picamera, a file, a URL, a GStreamer pipeline, demo",
    )
    run.add_argument(
        "--microphone",
        dest="audio.source",
        metavar="SRC",
        help="device name or index, or a sound file",
    )
    run.add_argument(
        "--screen", dest="display.screen", metavar="auto|window|framebuffer|none|FILE.png"
    )
    run.add_argument("--duration", type=seconds, metavar="S", help="end after S seconds")


def seconds(text: str) -> float:
    """A duration. Raises ValueError, which argparse turns into its line."""
    value = float(text)
    if not 0 < value < MAX_DURATION_S:
        raise ValueError(text)
    return value


def add_watch(commands: "Commands") -> None:
    watch = add_command(commands, cmd_watch, "what is published")
    watch.add_argument(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        help="default: this device; where it does not run, a list of others",
    )
    watch.add_argument("--key", type=Path, metavar="FILE", help="what `keys add` wrote")
    watch.add_argument("--topic", action="append", metavar="T", help="may be given several times")
    watch.add_argument("--count", type=int, metavar="N", help="end after N messages")
    watch.add_argument("--json", action="store_true", help="one JSON object a line")


def add_keys(commands: "Commands") -> None:
    keys = add_command(commands, cmd_keys, "who may subscribe from another host")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("make", help="make the device's key, if there is none")
    add = actions.add_parser("add", help="authorise a subscriber, and write its key")
    add.add_argument("name", metavar="NAME")
    add.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the terminal")
    actions.add_parser("list", help="authorised subscribers")
    remove = actions.add_parser("remove", help="revoke a subscriber's key, within 1.1 s")
    remove.add_argument("name", metavar="NAME")


def cmd_service(options: Namespace) -> int:
    from edge.commands import service

    return service.run(options.command, load(options.config))


def cmd_run(options: Namespace) -> int:
    from edge.commands import run

    given = {key: value for key, value in vars(options).items() if "." in key and value is not None}
    return run.run(load(options.config), given, options.duration)


def cmd_watch(options: Namespace) -> int:
    from edge.commands import watch

    view = watch.View(tuple(options.topic or ("",)), options.count, options.json)
    watch.check_topics(view.topics)
    if options.endpoint is None:
        return watch.watch_here(load(options.config), view)
    return watch.watch(options.endpoint, options.key, view)


def cmd_keys(options: Namespace) -> int:
    from edge.commands import keys

    return keys.keys(load(options.config), options)


def cmd_record(options: Namespace) -> int:
    from edge.commands import record

    return record.record(load(options.config), options.endpoint)


def cmd_classify(options: Namespace) -> int:
    from edge.commands import classify

    return classify.classify(load(options.config), options.files, options.json)


def cmd_doctor(options: Namespace) -> int:
    from edge.commands import doctor

    return doctor.doctor(load(options.config), options.config)
