"""Averages of the suites: against the published ones."""

from __future__ import annotations

import pytest

from subarch.tasks.averages import suite_average

# The published test scores of two networks, in the order of the leaderboards' columns.
GLUE = {
    "glue/cola": (63.9, 60.5),
    "glue/sst-2": (96.2, 94.9),
    "glue/mrpc": ({"f1": 94.1, "accuracy": 92.3}, {"f1": 89.3, "accuracy": 85.4}),
    "glue/sts-b": ({"pearson": 89.2, "spearman": 88.3}, {"pearson": 87.6, "spearman": 86.5}),
    "glue/qqp": ({"f1": 66.0, "accuracy": 85.9}, {"f1": 72.1, "accuracy": 89.3}),
    "glue/mnli-m": (88.1, 86.7),
    "glue/mnli-mm": (87.8, 85.9),
    "glue/qnli": (92.3, 92.7),
    "glue/rte": (82.7, 70.1),
    "glue/wnli": (71.2, 65.1),
    "glue/ax": (51.9, 39.6),
}
SUPERGLUE = {
    "superglue/boolq": (83.7, 77.4),
    "superglue/cb": ({"macro_f1": 81.9, "accuracy": 86.5}, {"macro_f1": 75.7, "accuracy": 83.6}),
    "superglue/copa": (89.6, 70.6),
    "superglue/multirc": ({"f1a": 83.7, "em": 54.1}, {"f1a": 70.0, "em": 24.1}),
    "superglue/record": ({"record_f1": 49.8, "record_em": 49.0}, {"record_f1": 72.0, "record_em": 71.3}),
    "superglue/rte": (81.2, 71.7),
    "superglue/wic": (70.1, 69.6),
    "superglue/wsc": (65.8, 64.4),
    "superglue/ax-b": (48.0, 23.0),
    "superglue/ax-g": ({"gender_parity": 96.1, "accuracy": 61.5}, {"gender_parity": 97.8, "accuracy": 51.7}),
}


def test_published_averages() -> None:
    for network, glue, superglue in ((0, 83.57, 74.11), (1, 80.52, 69.01)):
        found = suite_average("glue", {name: scores[network] for name, scores in GLUE.items()})
        assert found == pytest.approx(glue, abs=0.005)
        found = suite_average("superglue", {name: scores[network] for name, scores in SUPERGLUE.items()})
        assert found == pytest.approx(superglue, abs=0.005)
    # BERT-large: 76.6 on the middle and 70.1 on the high level are 72.0 on all 4,934 questions.
    assert suite_average("race", {"race/middle": 76.6, "race/high": 70.1}) == pytest.approx(72.0, abs=0.05)


def test_diagnostics_do_not_count_and_the_rest_must_be_there() -> None:
    scores = {name: values[0] for name, values in GLUE.items()}
    without = {name: score for name, score in scores.items() if name != "glue/ax"}
    assert suite_average("glue", without) == suite_average("glue", {**scores, "glue/ax": 0.0})
    with pytest.raises(ValueError, match=r"got none of glue/rte, glue/wnli"):
        suite_average("glue", {name: score for name, score in scores.items() if name not in ("glue/rte", "glue/wnli")})
    with pytest.raises(ValueError, match=r"metrics f1, accuracy of glue/mrpc, got no accuracy"):
        suite_average("glue", {**scores, "glue/mrpc": {"f1": 94.1}})
    with pytest.raises(ValueError, match=r"one of the suites glue, superglue, race, got 'xtreme'"):
        suite_average("xtreme", {})
