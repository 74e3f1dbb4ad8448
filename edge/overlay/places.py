"""Where each face's label and chart were drawn: what has a place keeps it while it is free."""

from collections.abc import Callable, Collection, Sequence

from edge.overlay.drawing import Rect

NOBODY = -1
"""In place of the id of a face: of what belongs to the whole picture."""
Choose = Callable[[str, Sequence[Rect], Callable[[Rect], bool], int], Rect | None]
"""`Places.choose` for one face."""


class Places:
    """The memory of one screen."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str], int | None] = {}

    def keep(self, ids: Collection[int]) -> None:
        """Forget all faces but these."""
        kept = {*ids, NOBODY}
        self._last = {key: index for key, index in self._last.items() if key[0] in kept}

    def choose(
        self,
        face_id: int,
        what: str,
        options: Sequence[Rect],
        is_free: Callable[[Rect], bool],
        spare_px: int,
    ) -> Rect | None:
        """The place of before, or the first one that is free; None where none is.

        `what`: a name of the thing that is placed, such as "chart".
        `spare_px`: what a new place must have free around it, so that nothing goes to and fro.
        """
        key = face_id, what
        is_known, last = key in self._last, self._last.get(key)

        def is_possible(index: int) -> bool:
            is_new = is_known and index != last
            return is_free(options[index].inset(-spare_px) if is_new else options[index])

        order = sorted(range(len(options)), key=lambda index: index != last)
        chosen = next(filter(is_possible, order), None)
        self._last[key] = chosen
        return None if chosen is None else options[chosen]
