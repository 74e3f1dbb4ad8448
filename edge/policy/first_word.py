"""Where a recording begins and ends around what is said. Pure: numbers in, a decision out.

Chosen on RAVDESS actors 17-20: docs/training/voice.md, "From the first word".
"""

PRE_ROLL_S = 0.3
"""Sound from before the first word: a soft beginning, and the room that it is in."""
RECOGNITION_S = 0.2
"""So long after a voice begins the speech gate recognises it, in the middle of 240 clips."""
MAX_MOVE_S = 1.0
"""For so long at most the end of a recording is put off by who goes on speaking."""


def lead_s(elapsed_s: float, speech: bool, wait_s: float) -> float | None:
    """How much of what was received belongs to the recording, s; None = it does not begin yet.

    `elapsed_s` of waiting; `speech`: somebody speaks. When `wait_s` is over it begins anyway, for
    who hesitates.
    """
    if speech:
        return PRE_ROLL_S + RECOGNITION_S
    return PRE_ROLL_S if elapsed_s >= wait_s else None


def moves_on(oldest_dbfs: float, newest_dbfs: float, moved_s: float, wait_s: float) -> bool:
    """Whether a full recording drops its oldest piece for one more new piece.

    It does while the new end is louder than the old beginning: who speaks longer than the recording
    has the pre-roll replaced by more words. One that begins at once (`wait_s` 0) stays where it is.
    """
    return newest_dbfs > oldest_dbfs and moved_s < min(MAX_MOVE_S, wait_s)
