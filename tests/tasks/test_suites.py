"""The table of the 23 tasks, and finding one by name."""

from __future__ import annotations

import pytest

from subarch.tasks.suites import SUITES, TASKS, find_task

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
