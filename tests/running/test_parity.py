"""What passes the gate, on examples by hand; and what processors can do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from subarch.running.parity import JudgedRows, Said, judged
from subarch.tasks.kinds.table import kind_of
from subarch.text.examples import Example


def outputs(*rows: list[float]) -> list[Any]:
    return [np.array(row, dtype=np.float32) for row in rows]


REFERENCE = outputs([1, 0], [0, 1], [1, 0], [0, 1])
LABELS = [0, 1, 0, 1]


def accuracy(said: Any) -> float:
    return float(np.mean([int(one.argmax()) == label for one, label in zip(said, LABELS, strict=True)]))


def said(together: Any, alone: Any = (), long: Any = ()) -> Said:
    return Said(together=together, alone=alone, long=long)


SCORED = JudgedRows(score=accuracy)
"""Of examples whose classes have no names here: 25 points are one answer of four."""


def test_drops_and_flips_by_hand() -> None:
    close = outputs([1, 0], [0, 1], [0, 0.5], [0, 1])
    given: Any = {"rows": SCORED, "max_drop": 25.0}
    found = judged("onnx-int8", "int8", "choice", said(REFERENCE), said(close), **given)
    assert (found.metric, found.drop, found.label_flips, found.largest_difference) == (0.75, 25.0, 1, 1.0)
    assert found.passed
    refused = judged("onnx-int8", "int8", "choice", said(REFERENCE), said(close), **given | {"max_drop": 24.9})
    assert not refused.passed and "25.00 points, more than 24.9" in refused.reason


def test_without_labels_only_floats_that_agree_pass() -> None:
    same: Any = {"rows": JudgedRows(), "max_drop": 100.0}
    close = said([one + 1e-5 for one in REFERENCE])
    assert judged("onnx", "float32", "classification", said(REFERENCE), close, **same).passed
    assert not judged("onnx-int8", "int8", "classification", said(REFERENCE), close, **same).passed
    far = said([one + 0.1 for one in REFERENCE])
    assert not judged("onnx", "float32", "encoder", said(REFERENCE), far, **same).passed


def test_floats_of_32_bits_that_differ_are_another_network() -> None:
    far = said([one + 0.1 for one in REFERENCE])
    found = judged("onnx", "float32", "classification", said(REFERENCE), far, rows=SCORED, max_drop=100.0)
    assert not found.passed and found.drop == 0 and "differ from PyTorch's by up to 0.1" in found.reason


def test_what_is_not_finite_never_passes() -> None:
    broken = outputs([1, 0], [0, 1], [float("nan"), 0], [0, 1])
    for form in (said(broken, (), REFERENCE), said(REFERENCE, broken, REFERENCE), said(REFERENCE, (), broken)):
        found = judged(
            "onnx", "float32", "classification", said(REFERENCE, long=REFERENCE), form, rows=SCORED, max_drop=100.0
        )
        assert not found.passed and np.isfinite(found.largest_difference) and np.isfinite(found.long_difference)


def test_numbers_have_no_labels_to_flip() -> None:
    one = said(outputs([1.0]))
    found = judged("onnx", "float32", "regression", one, one, rows=JudgedRows(score=lambda _: 1.0), max_drop=0.0)
    assert found.label_flips is None and found.alone_flips is None and found.passed


def test_texts_that_are_asked_alone_count_too() -> None:
    alone = outputs([0, 1], [0, 1])  # the first one is another label than in company
    given: Any = {"rows": SCORED, "max_drop": 24.9}
    found = judged("onnx-int8", "int8", "choice", said(REFERENCE), said(REFERENCE, alone), **given)
    assert (found.label_flips, found.alone, found.alone_flips, found.alone_difference) == (0, 2, 1, 1.0)
    assert found.drop == 25.0 and not found.passed
    floats = judged("onnx", "float32", "choice", said(REFERENCE), said(REFERENCE, alone), **given | {"max_drop": 100})
    assert not floats.passed and "asked alone" in floats.reason


def classes(*counts: tuple[int, int, int]) -> tuple[list[int], Any]:
    """Labels and outputs: so many of a label that get an answer, over three classes."""
    labels = [label for label, _, count in counts for _ in range(count)]
    answers = [answer for _, answer, count in counts for _ in range(count)]
    return labels, outputs(*(np.eye(3)[answer].tolist() for answer in answers))


def verdict(reference: Any, form: Any, labels: list[int], max_drop: float = 100.0) -> Any:
    def score(found: Any) -> float:
        return float(np.mean([int(one.argmax()) == label for one, label in zip(found, labels, strict=True)]))

    rows = JudgedRows(score=score, labels=[[one] for one in labels], names=("ok", "late", "fraud"))
    return judged("onnx-int8", "int8", "classification", said(reference), said(form), rows=rows, max_drop=max_drop)


def test_a_class_that_is_never_given_any_more_is_refused_by_name() -> None:
    labels, reference = classes((0, 0, 196), (2, 2, 4))
    _, lost = classes((0, 0, 196), (2, 0, 4))
    found = verdict(reference, lost, labels)
    assert (
        found.lost == ("fraud",) and not found.passed and "'fraud'" in found.reason and found.drop == pytest.approx(2)
    )
    _, one_left = classes((0, 0, 196), (2, 0, 3), (2, 2, 1))
    assert verdict(reference, one_left, labels).lost == ()  # three of four: chance alone does that one time in eight
    assert verdict(reference, one_left, labels).passed
    _, once = classes((0, 0, 199), (0, 1, 1))  # even where the network gave it once, and wrongly
    assert verdict(once, classes((0, 0, 200))[1], [0] * 200).lost == ("late",)


def test_a_recall_that_falls_beyond_chance_is_refused() -> None:
    labels, reference = classes((0, 0, 980), (2, 2, 20))
    for lost, passes in ((4, True), (5, False)):  # of 20: 0.5 ** 4 is 0.0625, 0.5 ** 5 is 0.031
        _, form = classes((0, 0, 980), (2, 0, lost), (2, 2, 20 - lost))
        found = verdict(reference, form, labels)
        assert found.passed is passes, found
    assert "right answers of 'fraud' fall from 20 to 15 of 20" in found.reason
    # Losses that gains make up for are no fall.
    labels, reference = classes((0, 0, 980), (2, 2, 15), (2, 0, 5))
    _, form = classes((0, 0, 980), (2, 0, 5), (2, 2, 15))
    assert verdict(reference, form, labels).passed


def test_the_longest_texts_may_not_fare_worse() -> None:
    reference = said([np.array([1.0, 0.0], np.float32)] * 100, long=[np.array([1.0, 0.0], np.float32)] * 20)
    for flips, passes in ((2, True), (4, False)):  # 2 of 20 are a tenth; 4 of 20 beside 0 of 100 are no chance
        other = [np.array([0.0, 1.0], np.float32)] * flips + list(reference.long[flips:])
        rows = JudgedRows(score=lambda _: 1.0)
        form = said(reference.together, long=other)
        found = judged("onnx-int8", "int8", "choice", reference, form, rows=rows, max_drop=0.0)
        assert found.passed is passes and found.long_flips == flips and found.long == 20
    numbers = said(outputs(*([float(n)] for n in range(50))), long=outputs([60.0], [70.0]))
    near = [one + np.float32(0.1) for one in numbers.together]
    for far, passes in ((0.4, True), (0.6, False)):
        form = said(near, long=[one + np.float32(far) for one in numbers.long])
        found = judged(
            "onnx-int8", "int8", "regression", numbers, form, rows=JudgedRows(score=lambda _: 1.0), max_drop=0.0
        )
        assert found.passed is passes and found.long_flips is None


# --- several labels ---------------------------------------------------------------------------------------------------


def labelled(reference: Any, form: Any, labels: list[tuple[int, ...]], **more: Any) -> Any:
    kind = kind_of("multilabel")

    def score(found: Any) -> float:
        return kind.score(("micro_f1",), [Example("", label=one) for one in labels], kind.decide(found))["score"]

    rows = JudgedRows(score=score, labels=labels, names=("toxic", "insult", "threat"), **more)
    return judged("onnx-int8", "int8", "multilabel", said(reference), said(form), rows=rows, max_drop=100.0)


def test_a_label_that_is_never_given_any_more_is_refused_by_name() -> None:
    labels = [(0,)] * 90 + [(0, 2)] * 4 + [()] * 6
    others = [[2.0, -2.0, -2.0]] * 90, [[-2.0, -2.0, -2.0]] * 6
    reference, lost = (outputs(*others[0], *[[2.0, -2.0, rare]] * 4, *others[1]) for rare in (1.0, -0.1))
    found = labelled(reference, lost, labels)
    assert found.lost == ("threat",) and not found.passed and "'threat'" in found.reason
    assert found.label_flips == 4  # rows whose sets differ, though the likeliest label is the same
    assert labelled(reference, reference, labels).passed


def test_a_label_whose_recall_falls_is_refused_whatever_the_others_do() -> None:
    labels = [(0, 1)] * 40
    reference, form = outputs(*[[2.0, 1.0, -2.0]] * 40), outputs(*[[2.0, -1.0, -2.0]] * 8, *[[2.0, 1.0, -2.0]] * 32)
    found = labelled(reference, form, labels)
    assert not found.passed and "right answers of 'insult' fall from 40 to 32 of 40" in found.reason


def test_the_gate_goes_by_the_networks_thresholds() -> None:
    kind, labels = kind_of("multilabel"), [(0,)] * 4 + [()] * 4
    reference = outputs(*[[-1.0, -3.0, -3.0]] * 4, *[[-2.0, -3.0, -3.0]] * 4)
    form = outputs(*[[-1.6, -3.0, -3.0]] * 4, *[[-2.0, -3.0, -3.0]] * 4)

    def decide(found: Any) -> Any:
        return kind.decide(found, (0.2, 0.5, 0.5))  # log odds of -1.39

    assert labelled(reference, form, labels).label_flips == 0
    found = labelled(reference, form, labels, decide=decide)
    assert found.label_flips == 4 and found.lost == ("toxic",)


def test_a_form_that_no_longer_gives_an_entity_type_is_refused() -> None:
    """Another tag of the type will do; none at all will not, whatever may be lost."""
    names = ("O", "LOC", "LOC", "PER")  # of O, B-LOC, I-LOC, B-PER
    tags = [[1, 2, 0], [3, 0], [0]] * 30
    reference = Said(together=[np.eye(4, dtype=np.float32)[one] for one in tags])
    rows = JudgedRows(score=lambda _: 1.0, labels=[tuple(one) for one in tags], names=names)

    def verdict(*changed: tuple[int, int]) -> Any:
        new = [[dict(changed).get(n, n) for n in one] for one in tags]
        said = Said(together=[np.eye(4, dtype=np.float32)[one] for one in new])
        return judged("onnx-int8", "int8", "tokens", reference, said, rows=rows, max_drop=100)

    assert verdict().passed and verdict((2, 1)).passed and verdict((2, 1)).label_flips == 30
    assert verdict((3, 0)).lost == ("PER",) and "never answers 'PER'" in verdict((3, 0)).reason
    assert verdict((1, 0)).lost == () and "right answers of 'LOC' fall from 60 to 30 of 60" in verdict((1, 0)).reason
