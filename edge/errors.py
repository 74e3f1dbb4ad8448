"""The one kind of error that is the user's to mend. Everything else is ours, and escapes."""


class UserError(ValueError):
    """Something given to us cannot be used. The message is one line: what, and the mend."""
