"""How hard the tests push: some seconds by default, the issue's sizes with EMOTION_EDGE_FULL=1."""

import os

FULL = bool(os.environ.get("EMOTION_EDGE_FULL"))
SLACK = {} if FULL else {"ms": 20, "s": 5}
"""By unit: a shared machine is slow for moments, and the short run's bar must not fail for that."""

CUT_S = 60 if FULL else 6
CONNECTIONS = 10_000 if FULL else 1_000
NOISE_S = 600 if FULL else 8
SUBSCRIBERS_A_PROCESS = 19 if FULL else 4
STOPPED_S = 60 if FULL else 10
GREEDY = (1, 10, 40) if FULL else (10,)
RESTARTS = 100 if FULL else 4
ATTACK_S = 10 if FULL else 4
FLOODERS = 5 if FULL else 2
CROWD = 3_000 if FULL else 300
ODD_CONNECTIONS = 65_628 if FULL else 3_000
HALF_OPEN = 5_000 if FULL else 500
UNKNOWN_KEYS = 300 if FULL else 30
MUTATED_IMAGES = 5_200 if FULL else 50
MUTATED_SOUNDS = 2_200 if FULL else 50
FACES_AT_ONCE = 5_000 if FULL else 500
LONG_MESSAGE_BYTES = 800_000_000 if FULL else 20_000_000
INVENTED_DEVICES = 86_000 if FULL else 3_000
LONG_RUN_S = 1_230 if FULL else 45
LINK_RACES = 1000 if FULL else 20
LONGEST_S = 2400
