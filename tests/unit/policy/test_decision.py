from edge.policy.decision import decide, rounded


def test_the_best_label_wins() -> None:
    assert decide({"happy": 0.6, "sad": 0.4}, 0.5) == ("happy", 0.6)


def test_a_best_label_below_the_threshold_is_uncertain() -> None:
    assert decide({"happy": 0.4, "sad": 0.35}, 0.5) == ("uncertain", 0.4)


def test_published_scores_are_short() -> None:
    assert rounded({"happy": 0.123456}) == {"happy": 0.1235}
