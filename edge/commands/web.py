"""`emotion-edge web password|token|certificate`: who may see the pages, and under what name."""

import getpass
import sys
from argparse import Namespace

from edge.commands.text import print_line
from edge.config import Config
from edge.errors import ConfigError, ExitCode
from edge.web.certificate import make_certificate, own_host_names
from edge.web.secrets import Role, Secrets
from edge.web.sessions import password_of


def web(config: Config, options: Namespace) -> int:
    """Do `options.action`. Raises ConfigError."""
    secrets = Secrets(config.web_directory)
    if options.action == "password":
        role = Role.VIEWER if options.viewer else Role.ADMIN
        had_one = bool(password_of(secrets.read(), role))
        secrets.set_password(role, ask_password(role))
        ended = "; who used the old one is logged out" if had_one else ""
        print_line(f"the {role.name.lower()}'s password is set{ended}")
    elif options.action == "token":
        print_line(secrets.new_token())
    else:
        names = own_host_names(config)
        fingerprint = make_certificate(config.web_directory, names)
        print_line(f"made {config.web_directory}/certificate.pem for {', '.join(names)}")
        print_line(f"SHA-256 {fingerprint}")
    return ExitCode.OK


def ask_password(role: Role) -> str:
    """Asked for twice at a terminal, else the first line of stdin. Raises ConfigError."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"new password of the {role.name.lower()}: ")
    if getpass.getpass("again: ") != password:
        raise ConfigError("the two are not the same; nothing is changed")
    return password
