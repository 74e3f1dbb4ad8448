"""What `emotion-edge doctor` finds, in a process of its own: it loads models, this one does not.

What it says about devices is left out: a service's process on a device may not see them, and those
that may report for themselves.
"""

import asyncio
import sys
import time
from typing import Literal

import msgspec

from edge.config import Config
from edge.config.file import config_file

FRESH_S = 30.0
"""So long an answer is given again."""
TIMEOUT_S = 60.0
NOT_HERE = ("settings", "camera", "microphone", "button", "screen", "speed", "temperature")


class Finding(msgspec.Struct, frozen=True):
    """As the command prints it with --json."""

    state: Literal["ok", "missing", "broken"]
    what: str
    detail: str
    fix: str = ""


class Doctor:
    """One examination at a time."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = asyncio.Lock()
        self._findings: list[Finding] = []
        self._asked_s = -FRESH_S

    async def findings(self) -> list[Finding]:
        """The newest ones, at most FRESH_S old."""
        async with self._lock:
            if time.monotonic() - self._asked_s > FRESH_S:
                self._findings = await self._examine()
                self._asked_s = time.monotonic()
        return self._findings

    async def _examine(self) -> list[Finding]:
        with config_file(self._config) as file:
            process = await asyncio.create_subprocess_exec(
                "nice", sys.executable, "-m", "edge", "doctor", "--json",
                "--config", f"/proc/self/fd/{file}",
                pass_fds=(file,),
                cwd="/",  # where nobody can put another `edge`
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
            except asyncio.TimeoutError:
                process.kill()
                return [Finding("broken", "doctor", f"no answer in {TIMEOUT_S:g} s")]
        lines = [msgspec.json.decode(line, type=Finding) for line in output.splitlines()]
        return [finding for finding in lines if finding.what not in NOT_HERE]
