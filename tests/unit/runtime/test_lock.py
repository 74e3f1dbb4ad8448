import os
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.runtime.lock import single_instance


def test_a_lock_that_cannot_be_written_is_one_line() -> None:
    with (
        pytest.raises(ConfigError, match=r"set bus\.directory"),
        single_instance(Path("/proc"), "x"),
    ):
        pass


def test_two_of_a_kind_are_refused(tmp_path: Path) -> None:
    with (
        single_instance(tmp_path, "face"),
        pytest.raises(ConfigError, match=f"pid {os.getpid()}"),
        single_instance(tmp_path, "face"),
    ):
        pass
