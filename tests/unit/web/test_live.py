"""Who gets one of the live page's places."""

from collections import Counter

import pytest

pytest.importorskip("tornado", reason="no tornado here: pip install -e .[web]")

from edge.web.live import MAX_A_SESSION, MAX_VIEWERS, TRY_AGAIN_LATER, Viewer, Viewers


class Page(Viewer):
    """A page without a browser."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.closed_with: int | None = None

    @property
    def owner(self) -> str:
        return self._owner

    def close(self, code: int | None = None, reason: str | None = None) -> None:  # noqa: ARG002
        self.closed_with = code


def opened(viewers: Viewers, owner: str, count: int) -> list[Page]:
    """Those of `count` pages that got a place."""
    pages = [Page(owner) for _ in range(count)]
    return [page for page in pages if viewers.add(page)]


def places() -> Viewers:
    return Viewers(lambda: None)


def test_one_user_gets_eight_places() -> None:
    assert len(opened(places(), "a", MAX_VIEWERS)) == MAX_A_SESSION


def test_whoever_has_most_makes_room_for_who_has_none() -> None:
    viewers = places()
    held = [page for owner in "ab" for page in opened(viewers, owner, MAX_A_SESSION)]
    more = opened(viewers, "c", MAX_A_SESSION) + opened(viewers, "admin", MAX_A_SESSION)
    kept = Counter(page.owner for page in (*held, *more) if page.closed_with is None)
    assert len(viewers) == MAX_VIEWERS
    assert kept == {"a": 5, "b": 5, "c": 5, "admin": 5}
    assert {page.closed_with for page in (*held, *more)} == {None, TRY_AGAIN_LATER}


def test_the_last_places_are_not_passed_back_and_forth() -> None:
    viewers = places()
    for number in range(MAX_VIEWERS):
        assert opened(viewers, f"user {number}", 1)
    assert not opened(viewers, "another", 1)
    assert not opened(viewers, "user 0", 1)
