"""How hard the tests push: some seconds by default, the issue's sizes with EMOTION_EDGE_FULL=1."""

import os

FULL = bool(os.environ.get("EMOTION_EDGE_FULL"))
CUT_S = 60 if FULL else 6
CONNECTIONS = 10_000 if FULL else 1_000
NOISE_S = 600 if FULL else 8
SUBSCRIBERS_A_PROCESS = 19 if FULL else 4
STOPPED_S = 60 if FULL else 10
GREEDY = 40 if FULL else 10
RESTARTS = 100 if FULL else 4
LINK_RACES = 1000 if FULL else 20
LONGEST_S = 1200


SLACK = {} if FULL else {"ms": 20, "s": 5}
"""By unit: a shared machine is slow for moments, and the short run's bar must not fail for that."""


def measured(what: str, value: float, bar: float, unit: str) -> None:
    """A line of the report, and the test's word on it."""
    print(f"| {what} | {value:.3g} {unit} | {bar:g} {unit} |")
    bar *= SLACK.get(unit, 1)
    assert value <= bar, f"{what}: {value:.3g} {unit}, may be {bar:g} {unit}"
