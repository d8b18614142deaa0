"""Families with and without the property; the two that must fail are made here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from subarch.extraction.abnc import ErrorEvidence, check_abnc
from subarch.networks.encoder import EncoderFamily
from subarch.networks.family import Family, Parts
from subarch.networks.fitting import fit_counts
from subarch.networks.mlp import MLPFamily
from subarch.networks.space import Parameter, Space, Value
from subarch.results.check import CheckResult

RUN = ErrorEvidence(
    comparable_pairs=40,
    violations=(0.01,),
    epsilon=0.1,
    spread=0.5,
    noise=0.01,
    resolved=True,
    gradient_norms=(3.0, 8.0),
    weight_bound=2.0,
    rank_correlation=0.95,
)


class Chain(Family):
    """Three linear layers, width to middle to head; subclasses say how wide head and middle are."""

    name = "chain"
    space = Space((Parameter(name="width", choices=(2, 3, 4, 5, 6, 8)),))
    reference: dict[str, Value] = {"width": 8}  # noqa: RUF012

    def middle(self, width: int) -> int:
        return width

    def outputs(self, width: int) -> int:
        return 2

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        width = int(architecture["width"])
        middle, outputs = self.middle(width), self.outputs(width)
        return nn.Sequential(nn.Linear(3, width), nn.Linear(width, middle), nn.Linear(middle, outputs))

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.zeros(batch_size, 3)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts(("0",), ("1",), ("2",))


class Rounded(Chain):
    """Widths rounded to powers of two: no polynomial."""

    def middle(self, width: int) -> int:
        return 2 ** math.ceil(math.log2(width))


class TopHeavy(Chain):
    """A head of width cubed outputs on a middle that grows with the square."""

    def outputs(self, width: int) -> int:
        return width**3


class Shrinking(Chain):
    """Fewer parameters for a larger width: the middle is (8 - width) wide, with width 8 left out."""

    space = Space((Parameter(name="width", choices=(2, 3, 4, 5, 6, 7)),))
    reference: dict[str, Value] = {"width": 7}  # noqa: RUF012

    def middle(self, width: int) -> int:
        return 8 - width


def verdicts(check: CheckResult) -> dict[str, str]:
    return {clause.name.split(".")[0]: clause.verdict for clause in check.clauses}


@pytest.fixture(scope="module")
def encoder() -> EncoderFamily:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
    return EncoderFamily.from_config({"model_type": "bert", "vocab_size": 50, "max_position_embeddings": 16, **sizes})


def test_encoder_is_weak_without_a_run_and_strong_with_a_good_one(encoder: EncoderFamily) -> None:
    counts = fit_counts(encoder, 16)
    alone = check_abnc(encoder, counts)
    assert alone.verdict == "weak"
    assert [verdicts(alone)[k] for k in "123"] == ["checked"] * 3
    assert verdicts(alone)["4a"] == "not shown"
    with_run = check_abnc(encoder, counts, RUN)
    assert with_run.verdict == "strong"
    assert verdicts(with_run)["4e"] == "assumed"  # never checked
    json.dumps(with_run.to_json())


def test_mlp_and_chain_are_weak_without_a_run() -> None:
    assert check_abnc(MLPFamily.from_widths([(4, 8, 16)] * 4)).verdict == "weak"
    assert check_abnc(Chain()).verdict == "weak"


def test_counts_that_are_no_polynomial_fail_the_first_clause() -> None:
    check = check_abnc(Rounded(), error=RUN)
    assert check.verdict == "not shown"
    assert verdicts(check)["1"] == "violated"
    assert "no polynomial" in check.clauses[0].evidence


def test_a_head_that_outgrows_its_middle_fails_the_second_clause() -> None:
    """Middle w(w + 1): degree 2. Head (w + 1) w^3: degree 4."""
    check = check_abnc(TopHeavy(), error=RUN)
    assert check.verdict == "not shown"
    assert verdicts(check)["1"] == "checked"
    assert verdicts(check)["2"] == "violated"
    assert "C has degree 4 in width (parameters), the middle 2" in check.clauses[1].evidence


def test_counts_that_fall_fail_the_third_clause() -> None:
    check = check_abnc(Shrinking(), error=RUN)
    assert verdicts(check)["3"] == "violated"
    assert "'width': " in check.clauses[2].evidence
    assert check.verdict == "not shown"


def test_too_few_values_show_no_degree() -> None:
    class Few(Chain):
        space = Space((Parameter(name="width", choices=(2, 8)),))

    check = check_abnc(Few())
    assert verdicts(check)["2"] == "not shown"
    assert check.verdict == "not shown"


@pytest.mark.parametrize(
    ("change", "clause", "verdict"),
    [
        ({"gradient_norms": ()}, "4a", "not shown"),
        ({"gradient_norms": (1.0, math.nan)}, "4a", "violated"),
        ({"gradient_norms": (1.0, math.inf)}, "4a", "violated"),
        ({"weight_bound": None}, "4b", "not shown"),
        ({"violations": (0.2,)}, "4c", "violated"),
        ({"resolved": False}, "4c", "not shown"),
        ({"comparable_pairs": 0, "violations": ()}, "4c", "not shown"),
        ({"rank_correlation": None}, "4d", "not shown"),
        ({"rank_correlation": 0.3}, "4d", "violated"),
    ],
)
def test_weak_evidence_makes_the_property_weak(change: dict[str, object], clause: str, verdict: str) -> None:
    check = check_abnc(Chain(), error=replace(RUN, **change))  # type: ignore[arg-type]
    assert verdicts(check)[clause] == verdict
    assert check.verdict == "weak"
