"""The table of the 23 tasks, finding one by name, and the suites' averages."""

from __future__ import annotations

import pytest

from subarch.text.suites import SUITES, TASKS, find_task, suite_average

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

# Class names in the order of the hub's indices.
CLASSES = {
    "glue/cola": "unacceptable acceptable",
    "glue/sst-2": "negative positive",
    "glue/mrpc": "not_equivalent equivalent",
    "glue/qqp": "not_duplicate duplicate",
    "glue/mnli-m": "entailment neutral contradiction",
    "glue/mnli-mm": "entailment neutral contradiction",
    "glue/qnli": "entailment not_entailment",
    "glue/rte": "entailment not_entailment",
    "glue/wnli": "not_entailment entailment",
    "glue/ax": "entailment neutral contradiction",
    "superglue/boolq": "false true",
    "superglue/cb": "entailment contradiction neutral",
    "superglue/multirc": "false true",
    "superglue/rte": "entailment not_entailment",
    "superglue/wic": "false true",
    "superglue/wsc": "false true",
    "superglue/ax-b": "entailment not_entailment",
    "superglue/ax-g": "entailment not_entailment",
}

# Files, rows and words as the portals ask for them; RACE has no portal.
SUBMISSIONS = {
    "glue/cola": ("CoLA.tsv", 1063, ("0", "1")),
    "glue/sst-2": ("SST-2.tsv", 1821, ("0", "1")),
    "glue/mrpc": ("MRPC.tsv", 1725, ("0", "1")),
    "glue/sts-b": ("STS-B.tsv", 1379, ()),
    "glue/qqp": ("QQP.tsv", 390_965, ("0", "1")),
    "glue/mnli-m": ("MNLI-m.tsv", 9796, ("entailment", "neutral", "contradiction")),
    "glue/mnli-mm": ("MNLI-mm.tsv", 9847, ("entailment", "neutral", "contradiction")),
    "glue/qnli": ("QNLI.tsv", 5463, ("entailment", "not_entailment")),
    "glue/rte": ("RTE.tsv", 3000, ("entailment", "not_entailment")),
    "glue/wnli": ("WNLI.tsv", 146, ("0", "1")),
    "glue/ax": ("AX.tsv", 1104, ("entailment", "neutral", "contradiction")),
    "superglue/boolq": ("BoolQ.jsonl", 3245, ("false", "true")),
    "superglue/cb": ("CB.jsonl", 250, ("entailment", "contradiction", "neutral")),
    "superglue/copa": ("COPA.jsonl", 500, (0, 1)),
    "superglue/multirc": ("MultiRC.jsonl", 166, (0, 1)),
    "superglue/record": ("ReCoRD.jsonl", 10_000, ()),
    "superglue/rte": ("RTE.jsonl", 3000, ("entailment", "not_entailment")),
    "superglue/wic": ("WiC.jsonl", 1400, ("false", "true")),
    "superglue/wsc": ("WSC.jsonl", 146, ("False", "True")),
    "superglue/ax-b": ("AX-b.jsonl", 1104, ("entailment", "not_entailment")),
    "superglue/ax-g": ("AX-g.jsonl", 356, ("entailment", "not_entailment")),
    "race/middle": ("RACE-M.jsonl", 1436, ("A", "B", "C", "D")),
    "race/high": ("RACE-H.jsonl", 3498, ("A", "B", "C", "D")),
}

METRICS = {
    "glue/cola": ("matthews",),
    "glue/mrpc": ("f1", "accuracy"),
    "glue/sts-b": ("pearson", "spearman"),
    "glue/qqp": ("f1", "accuracy"),
    "glue/ax": ("matthews",),
    "superglue/cb": ("accuracy", "macro_f1"),
    "superglue/multirc": ("f1a", "em"),
    "superglue/record": ("record_f1", "record_em"),
    "superglue/ax-b": ("matthews",),
    "superglue/ax-g": ("accuracy", "gender_parity"),
}


def test_the_table_is_what_the_benchmarks_publish() -> None:
    assert len(TASKS) == 23
    assert {suite: len(tasks) for suite, tasks in SUITES.items()} == {"glue": 11, "superglue": 10, "race": 2}
    for name, task in TASKS.items():
        assert task.name == name
        assert task.suite == name.partition("/")[0]
        assert task.label_names == tuple(CLASSES.get(name, "").split()), name
        assert (task.submission.file, task.submission.rows, task.submission.words) == SUBMISSIONS[name]
        assert task.metrics == METRICS.get(name, ("accuracy",)), name
    kinds = {name: task.kind for name, task in TASKS.items() if task.kind != "classification"}
    choices = ("superglue/copa", "superglue/record", "race/middle", "race/high")
    assert kinds == {"glue/sts-b": "regression", **dict.fromkeys(choices, "choice")}
    assert TASKS["superglue/multirc"].submission.examples == 9693


def test_tasks_without_training_data_name_the_model_that_answers_them() -> None:
    answered = {name: task.trained_on for name, task in TASKS.items() if task.trained_on}
    assert answered == {
        "glue/mnli-mm": "glue/mnli-m",
        "glue/ax": "glue/mnli-m",
        "superglue/ax-b": "superglue/rte",
        "superglue/ax-g": "superglue/rte",
    }
    for name, task in TASKS.items():
        assert ("train" in task.files) == (name not in answered)
        assert "test" in task.files
        if name in answered:  # a model's output means the same in both
            assert TASKS[answered[name]].label_names == task.label_names


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("glue/sst-2", "glue/sst-2"),
        ("GLUE/SST2", "glue/sst-2"),
        ("glue/stsb", "glue/sts-b"),
        ("glue/mnli", "glue/mnli-m"),
        ("glue/MNLI_mm", "glue/mnli-mm"),
        ("super_glue/AXb", "superglue/ax-b"),
        ("SuperGLUE/RTE", "superglue/rte"),
        ("race/m", "race/middle"),
        ("RACE/H", "race/high"),
    ],
)
def test_names_in_any_case_and_punctuation(name: str, found: str) -> None:
    assert find_task(name) is TASKS[found]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("glue/stb", r"such as glue/sts-b .*got 'glue/stb'"),
        ("glue/record", "superglue/record"),
        ("superglue/commitment", r"superglue/.* got"),
        ("", r"got ''"),
        ("qwxyz", r"glue/\.\.\. or superglue/\.\.\. or race/\.\.\., got 'qwxyz'"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_task(name)


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
