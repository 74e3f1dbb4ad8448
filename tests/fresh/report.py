"""docs/reports/fresh.md, from the last result of each machine."""

import json
import os
import time
from pathlib import Path

import edge

DEBIANS = {"bookworm": "Debian 12, Python 3.11", "trixie": "Debian 13, Python 3.13"}
USERS = {"root": "root", "sudo": "a user with sudo", "plain": "a user without"}
MAX_FACE_S = 90.0

HEAD = """# The first hour on a bare machine

Made by `make test-fresh` ([how](../../CONTRIBUTING.md#bare-machines)): README's two commands,
word for word, in roots of Debian that hold make, git and ca-certificates and nothing else. A
user without sudo gets one line for root, and nothing is changed before it. "Face" is from `git
clone` to the first face on the bus, all downloads and root's line included; the bar is
{bar:.0f} s. "Disk" is what `make run` adds, with the archives that apt keeps; "CPU" is the
time of all cores, "load" this machine's load average then: where that is far above the number of
cores, others had most of it. Each figure is that of its last run: `--run-only` repeats all but
`make test`.

Version {version}, {cores} cores of {machine} that others use as well, {date}.

| machine | user | face | CPU | load | disk | `make test` | time |
|---|---|---|---|---|---|---|---|
"""


def write_report(results: Path, report: Path) -> None:
    head = HEAD.format(
        bar=MAX_FACE_S,
        version=edge.__version__,
        cores=os.cpu_count(),
        machine=os.uname().machine,
        date=time.strftime("%Y-%m-%d"),
    )
    rows = [
        row(json.loads(path.read_text()), DEBIANS[suite], USERS[user])
        for suite in DEBIANS
        for user in USERS
        if (path := results / f"{suite}-{user}.json").exists()
    ]
    report.write_text(head + "\n".join(rows) + "\n")


def row(result: dict[str, object], debian: str, user: str) -> str:
    tests = "{tests} | {test_s} s" if "tests" in result else "not run | "
    first = "{face_s} s | {cpu_s} s | {load} | {disk_mb} MB"
    return f"| {debian} | {user} | {first} | {tests} |".format(**result)
