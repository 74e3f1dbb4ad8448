"""The command line of docs/commands.md: every command, its arguments and its help."""

import argparse
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edge import __version__
from edge.bus.messages import OPTIONAL_SERVICES, SERVICES
from edge.commands.text import printable
from edge.config import Config
from edge.errors import ExitCode
from edge.paths import SYSTEM_CONFIG

MAX_DURATION_S = 1e9
MIN_RATE_HZ, MAX_RATE_HZ = 1e-4, 240.0
FORMATS = ("csv", "tsv-bids", "parquet", "webvtt", "pyfeat", "jsonl")
"""Of `export`."""
DEFAULTS = Config()

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

FIRST_PAGE = f"""
examples:
  emotion-edge run                                    with the first camera and microphone
  emotion-edge run --camera talk.mp4 --screen none    from a film, without a screen
  emotion-edge watch                                  what is published, in a second terminal
  emotion-edge record                                 what the button does
  emotion-edge classify photos --csv > photos.csv     a folder as a table
  emotion-edge COMMAND --help                         its arguments, defaults and examples

keys in the window: a records, f is full screen, q quits everything; Ctrl-C does, too
settings: --config F, before or after COMMAND; else {SYSTEM_CONFIG}, else the defaults
single processes, as systemd starts them: {" ".join((*SERVICES, *OPTIONAL_SERVICES))}
"""

EXAMPLES = {
    "run": """
  emotion-edge run --camera 0 --screen window
  emotion-edge run --camera demo --microphone speech.wav --duration 30
  emotion-edge run --config mine.toml --screen picture.png

keys in the window: a records, f is full screen, q quits everything""",
    "watch": """
  emotion-edge watch                                        this host's device, until Ctrl-C
  emotion-edge watch --topic emotion --topic audio --json   for a program
  emotion-edge watch --topic health. --count 7              whatever begins so
  emotion-edge watch --csv > session.csv
  emotion-edge watch tcp://kitchen.local:5557 --key laptop.key""",
    "record": """
  emotion-edge record""",
    "classify": """
  emotion-edge classify portrait.jpg speech.wav
  emotion-edge classify talk.mp4 --csv > talk.csv           a row for each face and frame
  emotion-edge classify photos --annotated seen             pictures with boxes in seen/""",
    "doctor": """
  emotion-edge doctor
  emotion-edge doctor --config mine.toml""",
    "keys": """
  sudo emotion-edge keys add laptop laptop.key
  sudo emotion-edge keys list
  sudo emotion-edge keys remove laptop""",
    "session": """
  emotion-edge session start --note "pilot 3" --consent "form 12, signed"
  emotion-edge session mark "film begins"
  emotion-edge session stop
  emotion-edge session list
  emotion-edge session delete 20261123-101500""",
    "lsl": """
  emotion-edge lsl tcp://kitchen.local:5557 --key laptop.key""",
    "summary": """
  emotion-edge summary 20261123-101500
  emotion-edge summary 20261123-101500 --plot pilot3.html""",
    "export": """
  emotion-edge export 20261123-101500 > pilot3.csv
  emotion-edge export 20261123-101500 --output pilot3.parquet
  emotion-edge export --from 2026-11-23 --to 2026-11-24 --rate 0.1 --sep ';'""",
}


class Parser(ArgumentParser):
    """An error is one line, as everywhere else."""

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{printable(f'{self.prog}: {message}; see --help')}\n")


def make_parser() -> Parser:
    """All commands; `options.command` is the name of the one that was given."""
    parser = Parser(
        prog="emotion-edge",
        description="Emotions from faces and voices, on this device.",
        epilog=FIRST_PAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--config", type=Path, metavar="F", help="settings (TOML)")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands"
    )
    add_run(commands)
    add_watch(commands)
    add_record(commands)
    add_classify(commands)
    doctor = add_command(commands, "doctor", "what is found, what is missing, how to fix it")
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding")
    add_keys(commands)
    add_web(commands)
    add_session(commands)
    add_export(commands)
    add_summary(commands)
    add_lsl(commands)
    for name in (*SERVICES, *OPTIONAL_SERVICES):
        if name == "web":
            continue  # above
        add_service(commands, name)
    return parser


def add_command(commands: "Commands", name: str, about: str) -> Parser:
    """A command in the list of the first page."""
    command = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:{EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(command)
    return command


def add_config(command: Parser) -> None:
    """`--config` after the command, too; where it is missing the one before it counts."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="F",
        default=SUPPRESS,
        help=f"settings (TOML); default {SYSTEM_CONFIG} if it is there",
    )


def add_run(commands: "Commands") -> None:
    run = add_command(commands, "run", "everything, in this terminal, until Ctrl-C")
    run.add_argument(
        "--camera",
        dest="camera.source",
        metavar="SRC",
        help="index, /dev/videoN, picamera, a file, a URL, a GStreamer pipeline, demo, none; "
        f"default camera.source ({DEFAULTS.camera.source})",
    )
    run.add_argument(
        "--microphone",
        dest="audio.source",
        metavar="SRC",
        help=f"device name or index, a sound file, none; default audio.source "
        f"({DEFAULTS.audio.source})",
    )
    run.add_argument(
        "--screen",
        dest="display.screen",
        metavar="S",
        help="auto, window, framebuffer, none or FILE.png; default display.screen "
        f"({DEFAULTS.display.screen})",
    )
    run.add_argument(
        "--fullscreen",
        dest="display.fullscreen",
        action="store_true",
        default=None,
        help="the window on the whole screen; f, F11 or Esc in it change that",
    )
    run.add_argument(
        "--duration", type=seconds, metavar="S", help="end after S seconds; default never"
    )


def add_watch(commands: "Commands") -> None:
    watch = add_command(commands, "watch", "what is published")
    watch.add_argument(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        help="default: this device; where it does not run, a list of others",
    )
    watch.add_argument("--key", type=Path, metavar="FILE", help="what `keys add` wrote")
    watch.add_argument(
        "--topic", action="append", metavar="T", help="may be given several times; default all"
    )
    watch.add_argument(
        "--count", type=count, metavar="N", help="end after N messages; default at Ctrl-C"
    )
    add_format(watch)


def add_record(commands: "Commands") -> None:
    record = add_command(commands, "record", "record, as the button does, from this keyboard")
    record.add_argument(
        "endpoint",
        nargs="?",
        metavar="ENDPOINT",
        help="ipc://FOLDER/in of another runtime folder, the hub's input; default this device's",
    )


def add_classify(commands: "Commands") -> None:
    about = "emotions in images, films, sounds and folders"
    classify = add_command(commands, "classify", about)
    classify.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    add_format(classify)
    classify.add_argument(
        "--annotated",
        type=Path,
        metavar="FOLDER",
        help="write pictures and films with boxes and labels there; nothing is overwritten",
    )


def add_format(command: Parser) -> None:
    """How it prints; `options.format` is one of `text.Format`."""
    forms = command.add_mutually_exclusive_group()
    command.set_defaults(format="text")
    for form, about in (
        ("json", "one JSON object a line; default text for people"),
        ("csv", "comma-separated values, with a header"),
    ):
        forms.add_argument(f"--{form}", dest="format", action="store_const", const=form, help=about)


def add_keys(commands: "Commands") -> None:
    keys = add_command(commands, "keys", "who may subscribe from another host")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
    add_action(actions, "make", "make the device's key, if there is none")
    add = add_action(actions, "add", "authorise a subscriber, and write its key")
    add.add_argument("name", metavar="NAME", help="of the subscriber, such as laptop")
    add.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a new file; default the terminal"
    )
    add_action(actions, "list", "authorised subscribers")
    remove = add_action(actions, "remove", "revoke a subscriber's key, within 1.1 s")
    remove.add_argument("name", metavar="NAME", help="one of `keys list`")


def add_action(actions: "Commands", name: str, about: str) -> Parser:
    """What is done with the keys."""
    action = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    add_config(action)
    return action


def add_session(commands: "Commands") -> None:
    session = add_command(commands, "session", "begin, mark, end and erase what is recorded")
    actions = session.add_subparsers(
        dest="action", required=True, metavar="ACTION", title="actions"
    )
    start = actions.add_parser("start", help="begin a session")
    start.add_argument("--note", default="", metavar="TEXT", help="what it is about")
    start.add_argument("--consent", default="", metavar="TEXT", help="who agreed, and where")
    stop = actions.add_parser("stop", help="end the session that runs")
    mark = actions.add_parser("mark", help="mark this moment")
    mark.add_argument("text", metavar="TEXT")
    listed = actions.add_parser("list", help="all sessions, the oldest first")
    delete = actions.add_parser("delete", help="erase a session, and all that was recorded in it")
    delete.add_argument("id", metavar="ID")
    for action in (start, stop, mark, listed, delete):
        add_config(action)


def add_export(commands: "Commands") -> None:
    export = add_command(commands, "export", "what was recorded, for other programs")
    export.add_argument(
        "session", nargs="?", metavar="SESSION", help="its ID, as `session list` shows it"
    )
    export.add_argument(
        "--from",
        dest="since",
        metavar="TIME",
        help="2026-11-23 (0:00), or 2026-11-23T10:30; local time; default: all before",
    )
    export.add_argument(
        "--to",
        dest="until",
        metavar="TIME",
        help="the first moment that is left out; default: all after",
    )
    export.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the ending of FILE, else csv; parquet needs pyarrow",
    )
    export.add_argument(
        "--rate", type=rate, metavar="HZ", help="means of so many times a second; default as kept"
    )
    export.add_argument(
        "--sep",
        type=separator,
        default=",",
        metavar="C",
        help="of csv: , or ; or tab; with ; numbers have a decimal comma; default ,",
    )
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: the terminal")
    export.add_argument("--force", action="store_true", help="replace FILE")


def add_web(commands: "Commands") -> None:
    """The service, and what it needs before other hosts may come in."""
    web = commands.add_parser("web", description="The web process, for systemd; and its passwords.")
    add_config(web)
    actions = web.add_subparsers(dest="action", metavar="ACTION", title="actions")
    password = actions.add_parser("password", help="set the password, asked for or from stdin")
    password.add_argument(
        "--viewer", action="store_true", help="of who may look, and not record; default admin"
    )
    token = actions.add_parser("token", help="make Prometheus' token, and print it")
    certificate = actions.add_parser("certificate", help="make a self-signed certificate")
    for action in (password, token, certificate):
        add_config(action)


def add_service(commands: "Commands", name: str) -> None:
    """A process for systemd; not on the first page."""
    service = commands.add_parser(name, description=f"The {name} process, for systemd.")
    add_config(service)
    if name == "mqtt":
        service.add_argument(
            "action", nargs="?", choices=["forget"], help="remove this device from the broker"
        )


def seconds(text: str) -> float:
    """A duration. Raises ArgumentTypeError."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < MAX_DURATION_S:
            return value
    raise ArgumentTypeError(f"{text}: not a number of seconds above 0")


def add_summary(commands: "Commands") -> None:
    summary = add_command(commands, "summary", "what a session shows")
    summary.add_argument("session", metavar="SESSION", help="its ID, as `session list` shows it")
    summary.add_argument(
        "--plot", type=Path, metavar="FILE", help="FILE.html, or FILE.png (needs matplotlib)"
    )
    summary.add_argument("--force", action="store_true", help="replace FILE")


def add_lsl(commands: "Commands") -> None:
    lsl = add_command(commands, "lsl", "results for the Lab Streaming Layer, on this computer")
    lsl.add_argument("endpoint", metavar="ENDPOINT", help="the device's: tcp://HOST:5557")
    lsl.add_argument("--key", type=Path, metavar="FILE", help="what `keys add` wrote")
    lsl.add_argument(
        "--duration", type=seconds, metavar="S", help="end after S seconds; default at Ctrl-C"
    )


def rate(text: str) -> float:
    """Times a second. Raises ArgumentTypeError."""
    with suppress(ValueError):
        if MIN_RATE_HZ <= (value := float(text)) <= MAX_RATE_HZ:
            return value
    raise ArgumentTypeError(f"{text}: not a rate of {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} a second")


def separator(text: str) -> str:
    """Raises ArgumentTypeError."""
    if text in (",", ";", "tab"):
        return text.replace("tab", "\t")
    raise ArgumentTypeError(f"{text}: write , or ; or tab")


def count(text: str) -> int:
    """How many. Raises ArgumentTypeError."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f"{text}: not a whole number above 0")
