from edge.commands.progress import BAR, progress_line


def test_it_tells_how_much_is_done_and_how_long_the_rest_takes() -> None:
    assert (
        progress_line(0.4, 10.0, "film.mp4") == f"[{'#' * 8}{'-' * 12}]  40%, 0:15 left, film.mp4"
    )


def test_before_anything_is_done_it_promises_nothing() -> None:
    assert progress_line(0.0, 2.0, "film.mp4") == f"[{'-' * BAR}]   0%, film.mp4"


def test_a_film_that_is_longer_than_it_claims_is_at_most_done() -> None:
    assert "] 100%, 0:00 left" in progress_line(1.7, 2.0, "film.mp4")


def test_a_name_cannot_move_the_cursor() -> None:
    assert "\x1b" not in progress_line(0.5, 1.0, "\x1b[2J.mp4")
