"""Colours that everybody can tell apart, and that never carry a meaning alone."""

from itertools import combinations

import numpy as np
import pytest

from edge.bus.messages import FACE_LABELS
from edge.language import load_language
from edge.overlay.bars import COLOURS, draw_strip
from edge.overlay.drawing import BACKGROUND, CARD_BACKGROUND, GREY, Rect
from tests.support.colour_vision import MACHADO, delta_e, lab, linear, seen_by

MIN_DELTA_E = 12.0
MIN_CONTRAST = 3.0
"""WCAG 2.2, 1.4.3, of large letters."""


def test_the_colour_difference_is_that_of_the_paper():
    """Four of the pairs in table 1 of Sharma, Wu, Dalal."""
    one = np.array([[50, 2.6772, -79.7751], [50, -1.1848, -84.8006], [2.0776, 0.0795, -1.1350]])
    other = np.array([[50, 0, -82.7485], [50, 0, -82.7485], [0.9033, -0.0636, -0.5514]])
    assert delta_e(one, other) == pytest.approx([2.0425, 1.0, 0.9082], abs=1e-4)


@pytest.mark.parametrize("vision", MACHADO)
def test_no_two_emotions_look_alike_to_anybody(vision):
    colours = COLOURS | {"uncertain": GREY}
    seen = {
        label: lab(seen_by(vision, np.array(colour[::-1]))) for label, colour in colours.items()
    }
    apart = {pair: float(delta_e(seen[pair[0]], seen[pair[1]])) for pair in combinations(seen, 2)}
    nearest = min(apart, key=apart.__getitem__)
    assert apart[nearest] >= MIN_DELTA_E, nearest


def luminance(colour):
    return linear(np.array(colour[::-1])) @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("behind", [BACKGROUND, CARD_BACKGROUND])
def test_every_emotion_can_be_read_on_the_cards_and_dark_letters_on_it(behind):
    for label, colour in COLOURS.items():
        contrast = (luminance(colour) + 0.05) / (luminance(behind) + 0.05)
        assert contrast >= MIN_CONTRAST, label


def test_in_a_strip_every_colour_has_its_initials():
    """A part that is too narrow for them is grey."""
    scores = dict.fromkeys(FACE_LABELS, 0.02) | {"happy": 0.58, "sad": 0.3}
    image = np.zeros((30, 300, 3), np.uint8)
    draw_strip(image, Rect(0, 0, 300, 30), 25.0, load_language(), scores)
    coloured = {label for label, colour in COLOURS.items() if (image == colour).all(axis=2).any()}
    assert coloured == {"happy", "sad"}
    assert (image == GREY).all(axis=2).any()
    letters = (image == BACKGROUND).all(axis=2)
    assert letters[:, :174].any() and letters[:, 174:264].any()
