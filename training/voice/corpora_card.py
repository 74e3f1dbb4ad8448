"""What the card of a voice network trained on all corpora says besides figures."""

from collections.abc import Collection

from training.voice.corpora import BY_NAME, CORPORA, RAVDESS, TEST_ONLY, TRAINING, Corpus

FAILURES = (
    "People, rooms and languages that it does not know: right in the share of cases that the rows "
    "'left out' give, far less often than on RAVDESS's unseen actors. Treat it as a hint.",
    "Acted emotions all through: feelings that nobody plays were not measured.",
    "Children and old people were not measured: no corpus has enough of them, or says the age.",
    "Disgust is scarce in the corpora; happy passes for angry or surprised, sad for neutral, calm "
    "for neutral.",
    "Only the first two seconds of a recording are heard; speech that begins late is cut off.",
    "Whispering, shouting, crying, laughing and singing were not measured; music with voices is "
    "taken for speech at times.",
)
TEACHER = (
    "In training it also learned to predict what the middle layers of a frozen speech encoder tell "
    "of a clip: Whisper tiny's, inside Smart Turn v3.2 (BSD-2, of the PyPI wheel pipecat-ai). "
    "Nothing of that encoder is in the model or on a device. "
)
CALIBRATION = (
    "The temperature and half of an offset for each label, which is in the last layer's bias, are "
    "fitted on the left-out corpora; for a left-out corpus's own row, on the others. That offsets "
    "are used was decided with the left-out figures in sight."
)


def terms(corpus: Corpus) -> str:
    return f"{corpus.title}, {corpus.language}: {corpus.terms}"


def licence(also: Collection[str] = ()) -> str:
    """Whose data the weights were trained on, and on what terms; `also` have their own."""
    known = [terms(BY_NAME[name]) for name in TRAINING]
    named = "; ".join([*known, *(f"{name}: its own terms" for name in also)])
    tested = "; ".join(terms(BY_NAME[name]) for name in TEST_ONLY)
    return (
        f"Non-commercial use only. Weights trained on {named}. Some of these terms ask for the "
        "same terms, for no derivatives or for research only: none of this is cleared for "
        f"commercial use. Tested on, never trained on: {tested}."
    )


def failures() -> tuple[str, ...]:
    """The network's, and what is wrong with each corpus that it was trained or tested on."""
    return (*FAILURES, *(f"{c.title}: {c.faults}." for c in (RAVDESS, *CORPORA)))


def protocol(left_out: Collection[str], taught: bool) -> str:
    """How the network was trained and measured."""
    trained_on = ", ".join(name for name in TRAINING[1:] if name not in left_out)
    return (
        f"Trained on RAVDESS actors 1-16 and on {trained_on}, drawn by corpus and label. "
        f"{TEACHER if taught else ''}"
        "The recipe was chosen on RAVDESS actors 17-20 and, of networks trained without them, on "
        "emovo and turev; nothing by actors 21-24. One 2 s window a clip of RAVDESS: 'loudest' is "
        "the two seconds with the most energy, 'pressed' begins 0.3 s before the speech. 'Left "
        "out': whole clips of a corpus that a network of the same recipe, trained for less long, "
        f"has not seen ({', '.join(TEST_ONLY)}: by this network, which was never trained on "
        "them), by the mean scores of their windows; any of seven labels may be answered, calm "
        f"counts as neutral. {CALIBRATION}"
    )
