"""`emotion-edge keys`: the device's key, and which subscribers of other hosts are authorised."""

from argparse import Namespace

from edge.bus.keys import Keys, KeysError
from edge.commands.text import print_line
from edge.config import Config
from edge.errors import ExitCode
from edge.paths import SYSTEM_KEYS, keys_permission_denied


def keys(config: Config, options: Namespace) -> int:
    """Do `options.action`. Raises KeysError."""
    if not config.gateway.keys and keys_permission_denied():
        raise KeysError(f"permission denied on {SYSTEM_KEYS}; run with sudo")
    store = Keys(config.keys_directory)
    if options.action == "make":
        made = "made" if store.make() else "exists already:"
        print_line(f"{made} {store.directory}/device.key; public: {store.public()}")
    elif options.action == "add":
        store.export(store.add(options.name, config.device_name), options.file)
        if options.file is not None:
            print_line(f"{options.name} may subscribe; its key: {options.file}")
    elif options.action == "list":
        for name in sorted(store.allowed().values()):
            print_line(name)
    else:
        store.remove(options.name)
        print_line(f"{options.name} may no longer subscribe")
    return ExitCode.OK
