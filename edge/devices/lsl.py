"""Outlets of the Lab Streaming Layer, on the computer where its recorder runs (pylsl).

The field names are those of XDF's metadata, https://github.com/sccn/xdf/wiki/Meta-Data. All
streams are irregular (a nominal rate of 0): faces come and go. Needs the extra `lsl`.
"""

from collections.abc import Sequence

from edge.errors import UserError

MANUFACTURER = "Emotion Edge"


class LslError(UserError):
    """pylsl is there, and its library is not."""


try:
    import pylsl
except RuntimeError as error:  # as on aarch64, whose wheel has no library
    raise LslError(
        "pylsl found no library of the Lab Streaming Layer; install liblsl "
        "(https://github.com/sccn/liblsl/releases), and set PYLSL_LIB to its file"
    ) from error


class Outlet:
    """One stream, of numbers or of texts."""

    def __init__(
        self, name: str, kind: str, channels: Sequence[str], source: str, notice: str
    ) -> None:
        """`channels`: labels of numbers; none = one channel of text. Raises LslError."""
        format_ = pylsl.cf_float32 if channels else pylsl.cf_string
        count = len(channels) or 1
        info = pylsl.StreamInfo(name, kind, count, pylsl.IRREGULAR_RATE, format_, source)
        description = info.desc()
        description.append_child_value("manufacturer", MANUFACTURER)
        description.append_child_value("notice", notice)
        labels = description.append_child("channels")
        for channel in channels:
            labels.append_child("channel").append_child_value("label", channel)
        self._outlet = pylsl.StreamOutlet(info)

    def push(self, sample: Sequence[float] | Sequence[str], age_s: float) -> None:
        """`age_s`: how long ago it was captured."""
        self._outlet.push_sample(list(sample), pylsl.local_clock() - age_s)


def library() -> str:
    """Its version."""
    return f"liblsl {pylsl.library_version() / 100:.2f}"
