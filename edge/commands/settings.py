"""Settings that can only be judged by looking: files, devices and addresses that they name.

Cheap checks before anything starts, so that an error names the file, the line and the key.
"""

from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from pathlib import Path

from edge.bus.sockets import IPC, BusError, check_address
from edge.config import Config
from edge.config.file import place_of
from edge.errors import ConfigError, UsageError, UserError
from edge.paths import is_file, is_folder, make_directory

# A check imports what it needs: a process must not grow by what the others are checked with.


def check_camera(source: str) -> None:
    """Raises UserError for what can never be a camera."""
    from edge.devices.camera.source import check_source

    check_utf8(source)
    check_source(source)


def check_microphone(source: str) -> None:
    """Raises UserError for what can never be a microphone."""
    from edge.devices.microphone import check_source

    check_utf8(source)
    check_source(source)


def check_screen(screen: str) -> None:
    """Raises UserError for what is no screen, and for a file in a folder that does not exist."""
    from edge.devices.screen import check_screen as check_kind

    check_utf8(screen)
    check_kind(screen)
    path = Path(screen)
    if not is_folder(path.absolute().parent):
        raise UserError(f"{path.parent}: no such folder for the file")


def check_model(model: str) -> None:
    """Raises ModelError for a model that is missing or does not belong to its card."""
    from edge.inference.card import load_card

    load_card(Path(model))


def check_weights(model: str) -> None:
    """Raises UserError where the detector's own weights are not there; none are wanted at ""."""
    if model and not is_file(model):
        raise UserError(f"{model}: no such file; fix the path, or remove the line")


def check_directory(directory: str) -> None:
    """Raises ConfigError where the local sockets cannot be; makes their folder."""
    if directory:
        make_directory(Path(directory))


def check_endpoint(endpoint: str) -> None:
    """Raises BusError for what is no address; "" is none."""
    if endpoint and not endpoint.startswith(("tcp://", IPC)):
        raise BusError(f"{endpoint}: no such kind of address; write tcp://HOST:PORT or ipc://PATH")
    check_address(endpoint)


def check_utf8(value: str) -> None:
    """Raises UserError for a file name that no settings file can hold."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{value!r}: not a name in UTF-8; rename the file") from error


CHECKS: Mapping[str, Callable[[str], None]] = {
    "bus.directory": check_directory,
    "gateway.local": check_endpoint,
    "gateway.remote": check_endpoint,
    "camera.source": check_camera,
    "face.model": check_model,
    "face.detector.model": check_weights,
    "audio.source": check_microphone,
    "audio.model": check_model,
    "audio.activity_model": check_model,
    "display.screen": check_screen,
}
USED: Mapping[str, tuple[str, ...]] = {
    "run": ("",),
    "fusion": ("bus.", "face.model", "audio.model"),
    "classify": ("face.", "audio.model", "audio.activity_model"),
}
"""Beginnings of the keys that a command uses; those of a service are its own and the bus's."""


def check_used(
    command: str, config: Config, path: Path | None, overrides: Collection[str] = ()
) -> None:
    """Raises ConfigError with the place in the settings, UsageError for keys in `overrides`.

    `path`: where the settings were read, as for `load`.
    """
    used = USED.get(command, ("bus.", f"{command}."))
    for key, check in CHECKS.items():
        if key.startswith(used):
            try:
                check(attrgetter(key)(config))
            except (UserError, BusError) as error:
                if key in overrides:
                    raise UsageError(str(error)) from error
                what = str(error).removeprefix("camera source ")
                raise ConfigError(f"{place_of(path, key)}: {what}") from error
