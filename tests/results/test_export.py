"""What export tells: every form beside PyTorch, and which was chosen."""

from __future__ import annotations

import examples
import pytest
from laws import HOSTILE, changed, goes_through_json, holds, is_frozen, shows_words_as_they_are, told

from subarch.results.export import NeedsResult


def test_it_is_a_result() -> None:
    made = examples.export()
    holds(made)
    goes_through_json(made.parity[0])
    is_frozen(made.parity[0])
    assert not {"classes", "by_class"} & set(examples.export(classes=None, by_class=None).to_json())
    shows_words_as_they_are(examples.export(missing={"openvino": HOSTILE}))


def test_every_form_stands_beside_pytorch() -> None:
    found = told(examples.export())
    assert found[:6] == [
        "judged on 1,000 examples (development rows); timed at 128 tokens, one text a pass, 2 threads, avx2",
        "form | ms | times as fast | MB | accuracy, points | other labels | largest difference | ",
        "PyTorch | 4.00 | 1.0 |  | 91.00 |  |  | ",
        "onnx | 2.00 | 2.0 | 18.0 | 91.00 | 0 of 1000 | 1e-06 | chosen",
        "onnx-int8 | 1.00 | 4.0 | 5.0 | 88.00 | 41 of 1000 | 0.25 | refused",
        "onnx: the fastest that loses no more than 1 point",
    ]
    assert found[6:8] == [
        "it opens with ONNX Runtime 1.16 and newer (IR 9)",
        "onnx-int8: 3 of 64 texts get another label alone than with others in a pass",
    ]
    assert found[-2:] == ["openvino is left out: openvino is not installed", "wrote runs/mine/export"]


def test_a_form_that_passes_and_is_not_chosen_says_so() -> None:
    first, second = examples.export().parity
    (row,) = [
        line
        for line in told(examples.export(parity=(changed(second, passed=True), first), metric=None))
        if line.startswith("onnx-int8 | ")
    ]
    assert row.endswith("| passes")


def test_a_form_says_nothing_of_runtimes_that_do_not_open_it() -> None:
    for runtime, oldest in (("onnxruntime", "oldest_onnxruntime"), ("openvino", "oldest_openvino")):
        needs = NeedsResult(runtime=runtime, ir_version=9, opsets={"": 17})
        goes_through_json(needs)
        own = {"own_operators": []} if runtime == "onnxruntime" else {}
        assert needs.to_json() == {"runtime": runtime, "ir_version": 9, "opsets": {"": 17}, oldest: None, **own}


def test_what_a_further_runtime_says_has_names_of_its_own() -> None:
    needs = NeedsResult(runtime="further", oldest="3.1")
    goes_through_json(needs)
    assert needs.to_json() == {"runtime": "further", "opsets": {}, "oldest": "3.1"}


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (
            NeedsResult(runtime="openvino", oldest_openvino="2025.2", ir_version=11, opsets={}),
            ["it opens with OpenVINO 2025.2 and newer (IR 11)"],
        ),
        (NeedsResult(runtime="openvino", ir_version=11, opsets={}), []),
        (
            NeedsResult(runtime="further", called="Further", oldest="3.1"),
            ["it opens with Further 3.1 and newer"],
        ),
        (NeedsResult(runtime="further"), []),
    ],
)
def test_what_opens_the_chosen_form(needs: NeedsResult, words: list[str]) -> None:
    found = told(examples.export(opens_with={"onnx": needs}))
    assert [line for line in found if line.startswith("it opens with")] == words
