"""Errors that are the user's to fix, and the exit codes. Everything else is a bug, and escapes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with; docs/contract.md promises them."""

    OK = 0
    """Done, or stopped."""
    FAILED = 1
    """Something went wrong."""
    USAGE = 2
    """Invalid arguments."""
    BAD_CONFIG = 78
    """Settings that cannot be used (EX_CONFIG of sysexits.h); systemd must not restart on it."""


class UserError(ValueError):
    """Something given to us cannot be used. The message is one line: what, and the fix."""


class UsageError(UserError):
    """An argument of the command line that cannot be used."""


class ConfigError(UserError):
    """A setting that cannot be used. The message is one line: what, where, and the fix."""
