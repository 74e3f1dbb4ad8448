"""The command `emotion-edge`: logging, dispatch, exit codes. Does none of the work.

A command's own file is imported when the command is chosen: `watch` needs no more than a client.
Exit codes: 0 done or stopped, 1 something went wrong or a crash, 2 invalid arguments, 78 bad
configuration (systemd must not restart on it).
"""

import atexit
import io
import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from edge.bus.messages import OPTIONAL_SERVICES, SERVICES
from edge.bus.sockets import BusError
from edge.commands.arguments import make_parser
from edge.commands.text import OutputError, print_error, printable
from edge.config.file import load
from edge.errors import ConfigError, ExitCode, UsageError, UserError
from edge.language import load_language
from edge.runtime.process import (
    check_descriptor_limit,
    configure_libraries,
    discard_unwritten,
    open_standard_streams,
)

EXTRAS = {
    "paho": "mqtt",
    "tornado": "web",
    "pyarrow": "export",
    "matplotlib": "plot",
    "pylsl": "lsl",
}
"""Packages that only an optional service or command needs -> its extra."""
CLIENTS = ("keys", "record", "watch", "session", "export", "summary", "lsl")
"""Where an address that is not there is the command line's to put right, or the moment's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and turn every expected error into one line and its exit code."""
    configure_libraries()
    set_output()
    options = make_parser().parse_args(arguments)
    set_logging(options.command)
    try:
        check_descriptor_limit()
        return COMMANDS.get(options.command, cmd_service)(options)
    except (UserError, BusError) as error:
        print_error(options.command, error)
        return exit_code(error, options.command)
    except ModuleNotFoundError as error:
        if (error.name or "edge").startswith("edge"):
            raise  # a bug
        package = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(package, "device")
        fix = f"this needs the {extra} extra; in the checkout: pip install -e '.[{extra}]'"
        print_error(options.command, f"{package} is not installed: {fix}")
        return ExitCode.BAD_CONFIG
    except KeyboardInterrupt:
        return ExitCode.OK
    except BrokenPipeError:  # `watch | head`
        return ExitCode.OK


def exit_code(error: Exception, command: str) -> ExitCode:
    """What the settings name is theirs to put right; a key or an address is the command line's."""
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, OutputError):
        return ExitCode.FAILED
    if isinstance(error, ConfigError) or command not in CLIENTS:
        return ExitCode.BAD_CONFIG
    return ExitCode.FAILED


def set_output() -> None:
    """Have stdout and stderr, and show as escapes what their encoding lacks."""
    open_standard_streams()
    atexit.register(discard_unwritten)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class PrintableFormatter(logging.Formatter):
    """Log lines hold names of files, devices and hosts."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))


def set_logging(command: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter(f"{command}: %(message)s"))
    level = logging.INFO if command in (*SERVICES, *OPTIONAL_SERVICES) else logging.WARNING
    logging.basicConfig(level=level, handlers=[handler])


def cmd_service(options: Namespace) -> int:
    from edge.commands import service

    return service.run(options.command, load(options.config), options.config)


def cmd_mqtt(options: Namespace) -> int:
    if options.action is None:
        return cmd_service(options)
    from edge.commands import mqtt

    return mqtt.forget(load(options.config))


def cmd_web(options: Namespace) -> int:
    if options.action is None:
        return cmd_service(options)
    from edge.commands import web

    return web.web(load(options.config), options)


def cmd_run(options: Namespace) -> int:
    from edge.commands import run

    given = {key: value for key, value in vars(options).items() if "." in key and value is not None}
    return run.run(load(options.config), options.config, given, options.duration)


def cmd_watch(options: Namespace) -> int:
    from edge.commands import watch

    config, topics = load(options.config), tuple(options.topic or ("",))
    watch.check_topics(topics)
    words = load_language(config.display.language)
    view = watch.View(topics, options.count, options.format, words)
    if options.endpoint is None:
        return watch.watch_here(config, view)
    return watch.watch(options.endpoint, options.key, view)


def cmd_keys(options: Namespace) -> int:
    from edge.commands import keys

    return keys.keys(load(options.config), options)


def cmd_record(options: Namespace) -> int:
    from edge.commands import record

    return record.record(load(options.config), options.endpoint)


def cmd_classify(options: Namespace) -> int:
    from edge.commands import classify

    wanted = classify.Options(options.paths, options.format, options.annotated, options.config)
    return classify.classify(load(options.config), wanted)


def cmd_session(options: Namespace) -> int:
    from edge.commands import session

    return session.session(load(options.config), options)


def cmd_export(options: Namespace) -> int:
    from edge.commands import export

    return export.export(load(options.config), options)


def cmd_summary(options: Namespace) -> int:
    from edge.commands import summary

    return summary.summary(load(options.config), options)


def cmd_lsl(options: Namespace) -> int:
    from edge.commands import lsl

    return lsl.lsl(options.endpoint, options.key, options.duration)


def cmd_doctor(options: Namespace) -> int:
    from edge.commands import doctor

    return doctor.doctor(load(options.config), options.config, options.json)


COMMANDS: Mapping[str, Callable[[Namespace], int]] = {
    "run": cmd_run,
    "watch": cmd_watch,
    "record": cmd_record,
    "classify": cmd_classify,
    "doctor": cmd_doctor,
    "keys": cmd_keys,
    "mqtt": cmd_mqtt,
    "session": cmd_session,
    "export": cmd_export,
    "summary": cmd_summary,
    "lsl": cmd_lsl,
    "web": cmd_web,
}
"""All others are services."""
