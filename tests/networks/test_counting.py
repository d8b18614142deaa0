"""Counts against published shapes' own arithmetic, the stock library's modules, and brute force."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, BertModel, RobertaConfig, RobertaForMaskedLM, RobertaModel

from subarch.networks.counting import Counts, count, count_parts, module_macs, num_parameters
from subarch.networks.countmodels import CountModel
from subarch.networks.encoder import EncoderFamily, bort_preset
from subarch.networks.family import Family, Parts
from subarch.networks.fitting import fit_counts
from subarch.networks.mlp import MLPFamily, mlp_preset
from subarch.networks.space import Architecture, Constraint, Parameter, Space, Value

ROBERTA_VOCABULARY, BERT_VOCABULARY = 50265, 30522


def bert(layers: int, heads: int, hidden: int, intermediate: int, vocabulary: int, segments: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary,
        type_vocab_size=segments,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_size=hidden,
        intermediate_size=intermediate,
    )


ROBERTA_LARGE = RobertaConfig(
    vocab_size=ROBERTA_VOCABULARY,
    max_position_embeddings=514,
    type_vocab_size=1,
    num_hidden_layers=24,
    num_attention_heads=16,
    hidden_size=1024,
    intermediate_size=4096,
)
# token embeddings, embeddings, layer, encoder, backbone, + pooler, + MLM head, + both
TABLE: list[tuple[Any, tuple[int, ...]]] = [
    (
        bert(4, 8, 1024, 768, ROBERTA_VOCABULARY, 0),
        (51_471_360, 51_995_648, 5_777_152, 23_108_608, 75_106_304, 76_155_904, 76_208_217, 77_257_817),
    ),
    (
        bert(4, 8, 768, 1024, ROBERTA_VOCABULARY, 0),
        (38_603_520, 38_996_736, 3_940_096, 15_760_384, 54_758_656, 55_349_248, 55_401_049, 55_991_641),
    ),
    (
        bert(2, 16, 1024, 512, ROBERTA_VOCABULARY, 0),
        (51_471_360, 51_995_648, 5_252_608, 10_505_216, 62_502_912, 63_552_512, 63_604_825, 64_654_425),
    ),
    (
        bert(4, 8, 1024, 768, BERT_VOCABULARY, 2),
        (31_254_528, 31_780_864, 5_777_152, 23_108_608, 54_891_520, 55_941_120, 55_973_690, 57_023_290),
    ),
    (
        bert(24, 16, 1024, 4096, BERT_VOCABULARY, 2),
        (31_254_528, 31_780_864, 12_596_224, 302_309_376, 334_092_288, 335_141_888, 335_174_458, 336_224_058),
    ),
    (
        bert(12, 12, 768, 3072, BERT_VOCABULARY, 2),
        (23_440_896, 23_835_648, 7_087_872, 85_054_464, 108_891_648, 109_482_240, 109_514_298, 110_104_890),
    ),
    (
        ROBERTA_LARGE,
        (51_471_360, 51_998_720, 12_596_224, 302_309_376, 354_310_144, 355_359_744, 355_412_057, 356_461_657),
    ),
]


@pytest.mark.parametrize(("config", "expected"), TABLE, ids=lambda v: type(v).__name__)
def test_counted_modules_reproduce_the_table(config: Any, expected: tuple[int, ...]) -> None:
    """Seven published shapes, eight conventions each, to the unit."""
    roberta = isinstance(config, RobertaConfig)
    with torch.device("meta"):
        pooled = (RobertaModel if roberta else BertModel)(config, add_pooling_layer=True)
        with_head = (RobertaForMaskedLM if roberta else BertForMaskedLM)(config)
    backbone = num_parameters(pooled) - num_parameters(pooled.pooler)
    both = num_parameters(with_head) + num_parameters(pooled.pooler)
    assert expected == (
        num_parameters(pooled.embeddings.word_embeddings),
        num_parameters(pooled.embeddings) - num_parameters(pooled.embeddings.LayerNorm),
        num_parameters(pooled.encoder.layer[0]),
        num_parameters(pooled.encoder),
        backbone,
        num_parameters(pooled),
        num_parameters(with_head),
        both,
    )


# macs per token of the encoder, millions to three decimals: n = 16, 128, 512
SPEEDS = [
    ((4, 8, 1024, 768), (23.200, 24.117, 27.263)),
    ((4, 8, 768, 1024), (15.827, 16.515, 18.874)),
    ((2, 16, 1024, 512), (10.551, 11.010, 12.583)),
    ((12, 12, 768, 3072), (85.230, 87.294, 94.372)),
    ((24, 16, 1024, 4096), (302.776, 308.281, 327.156)),
]


@pytest.mark.parametrize(("shape", "millions"), SPEEDS)
def test_operations_reproduce_the_table(shape: tuple[int, int, int, int], millions: tuple[float, ...]) -> None:
    layers, _, hidden, intermediate = shape
    family = bort_preset()
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    for length, expected in zip((16, 128, 512), millions, strict=True):
        with torch.device("meta"):
            network = family.build(dict(zip(names, shape, strict=True)))
            macs, _ = module_macs(network, **family.inputs(1, length))
        per_token = layers * (4 * hidden**2 + 2 * hidden * intermediate + 2 * length * hidden)
        assert macs == per_token * length
        assert round(per_token / 1e6, 3) == expected


def test_known_flops_of_bert_large() -> None:
    config = bert(24, 16, 1024, 4096, BERT_VOCABULARY, 2)
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
        macs, _ = module_macs(model, torch.ones(1, 128, dtype=torch.int64))
    assert 2 * macs == 78_920_024_064


def test_tied_weights_count_once_and_frozen_ones_not() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert num_parameters(tied) == 9 + 3 + 3
    tied[0].bias.requires_grad_(False)
    assert num_parameters(tied) == 9 + 3


# ---------------------------------------------------------------------- polynomials


def listed(family: Family, length: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every architecture of a small space with its counts, each built."""
    indices = family.space.listed()
    counts = [count(family, family.space.architecture(index), length) for index in indices]
    return indices, np.array([c.parameters for c in counts]), np.array([c.macs for c in counts])


def tiny_bert(**changes: Any) -> dict[str, Any]:
    sizes = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
    return {"model_type": "bert", "vocab_size": 100, "max_position_embeddings": 64, **sizes, **changes}


def test_encoder_polynomials_are_the_known_ones_and_hold_everywhere() -> None:
    space = Space.from_json({"num_hidden_layers": [1, 2], "hidden_size": [8, 24], "intermediate_size": [16, 40, 64]})
    family = EncoderFamily.from_config(tiny_bert(), space)
    model = fit_counts(family, sequence_length=16)
    assert model.parameters is not None
    assert model.macs is not None
    # D(4H^2 + 2HI + 9H + I) + H(V + P + 2 + 2), macs n D(4H^2 + 2HI + 2nH): the usual formulas, at a shape not built
    far: Architecture = {"num_hidden_layers": 40, "hidden_size": 5120, "intermediate_size": 20480}
    d, h, i, n = 40, 5120, 20480, 16
    assert model.parameters(far) == d * (4 * h * h + 2 * h * i + 9 * h + i) + h * (100 + 64 + 4)
    assert model.macs(far) == n * d * (4 * h * h + 2 * h * i + 2 * n * h)
    indices, p, macs = listed(family, 16)
    table = model.table(indices)
    assert np.array_equal(table[0], p)
    assert np.array_equal(table[1], macs)
    assert model.parameters.degree("hidden_size") == 2
    assert model.parameters.degree() == 3
    assert model.parameters.monotone(family.space) is True
    assert model.held_out > 0


def test_bort_space_has_one_polynomial_for_all_heads() -> None:
    family = bort_preset()
    model = fit_counts(family)
    assert model.parameters is not None
    assert [piece.when for piece in model.parameters.pieces] == [None]
    assert len(family.space.listed()) == 300
    # the released Bort has 75,106,304 without and H more with the stock model's one row of segments
    bort: Architecture = dict(
        zip(
            ("num_attention_heads", "num_hidden_layers", "hidden_size", "intermediate_size"),
            (8, 4, 1024, 768),
            strict=True,
        )
    )
    assert model.counts(bort) == Counts(75_106_304 + 1024, 24_117_248 * 128)
    assert model.counts(family.reference) == count(family, family.reference)


def test_wide_mlp_space_is_never_listed() -> None:
    family = mlp_preset()
    model = fit_counts(family)
    assert model.builds < 100 < family.space.num_points
    assert model.parameters is not None
    assert model.parameters.degree() == 2
    for index in family.space.sample(20, seed=5):
        widths = [784, *(int(v) for v in family.space.architecture(index).values()), 10]
        expected = sum(a * b + b for a, b in itertools.pairwise(widths))
        assert model.parameters(family.space.architecture(index)) == expected
    many = family.space.sample(100_000, seed=1)
    p, macs = model.table(many)
    assert p.shape == macs.shape == (100_000,)


def test_toy_figure() -> None:
    """3 inputs to 4 to 4: 16 + 20 parameters; 3 to 3 to 2: 12 + 8; the figure doubles both sums."""
    family = MLPFamily.from_widths([(3, 4), (2, 4)], inputs=3, outputs=None)
    large = count_parts(family, {"width_1": 4, "width_2": 4})
    small = count_parts(family, {"width_1": 3, "width_2": 2})
    assert (large["first"].parameters, large["last"].parameters) == (16, 20)
    assert (small["first"].parameters, small["last"].parameters) == (12, 8)
    assert (large["network"].parameters, small["network"].parameters) == (36, 20)
    assert (2 * large["network"].parameters, 2 * small["network"].parameters) == (72, 40)
    model = fit_counts(family)
    assert model.parameters is not None
    assert model.parameters({"width_1": 4, "width_2": 4}) == 36


class Rule(Family):
    """A linear layer whose sizes follow any rule, to try the interpolation on."""

    name = "rule"

    def __init__(self, space: Space, rule: Any) -> None:
        self.space = space
        self.rule = rule
        self.reference = {p.name: p.choices[-1] for p in space.parameters}

    def build(self, architecture: Mapping[str, Value]) -> nn.Module:
        return nn.Linear(3, int(self.rule(**architecture)), bias=False)

    def inputs(self, batch_size: int, sequence_length: int) -> dict[str, Tensor]:
        return {"input": torch.zeros(batch_size, 3)}

    def parts(self, network: nn.Module) -> Parts:
        return Parts((), ())


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_random_polynomials_are_found_exactly(data: st.DataObject) -> None:
    """Random integer polynomials over random spaces with a constraint and an unordered parameter."""
    k = data.draw(st.integers(1, 3))
    names = [f"x{j}" for j in range(k)]
    values = st.lists(st.integers(1, 40), min_size=5, max_size=6, unique=True).map(sorted)
    parameters = [Parameter(name=n, choices=tuple(data.draw(values))) for n in names]
    kinds = data.draw(st.sampled_from([("a",), ("a", "b")]))
    exponents = st.tuples(*[st.integers(0, 2)] * k)
    terms = {kind: data.draw(st.dictionaries(exponents, st.integers(1, 9), min_size=1, max_size=4)) for kind in kinds}
    space = Space(
        (*parameters, Parameter(name="kind", choices=kinds, ordered=False)),
        (Constraint("x0 % 2 == 0 or x0 > 1"),),
    )

    def rule(kind: str, **x: int) -> int:
        return 1 + sum(
            c * int(np.prod([x[n] ** e for n, e in zip(names, es, strict=True)])) for es, c in terms[kind].items()
        )

    indices = space.listed()
    model = fit_counts(Rule(space, rule), seed=data.draw(st.integers(0, 9)))
    assert model.parameters is not None
    for index in indices:
        architecture = space.architecture(index)
        assert model.parameters(architecture) == 3 * rule(**architecture)  # type: ignore[arg-type]
    table, _ = model.table(indices)
    assert [int(v) for v in table] == [3 * rule(**space.architecture(i)) for i in indices]  # type: ignore[arg-type]


def test_fractions_and_few_choices() -> None:
    space = Space((Parameter(name="share", choices=(0.1, 0.5, 0.7, 1.0)), Parameter(name="width", choices=(10, 20))))
    model = fit_counts(Rule(space, lambda share, width: round(share * width)))
    assert model.parameters is not None
    assert model.parameters({"share": 0.7, "width": 20}) == 42
    assert model.limited == ("width",)  # two choices and no probes: a line fits whatever its degree


def test_counts_that_are_no_polynomial_are_built() -> None:
    space = Space((Parameter(name="bits", choices=tuple(range(1, 13))),))
    family = Rule(space, lambda bits: 2**bits)
    model = fit_counts(family)
    assert model.parameters is None
    assert model.residuals["parameters"] > 0
    assert model.counts({"bits": 5}) == Counts(96, 96)
    assert model.table(np.array([[0], [9]]))[0].tolist() == [6, 3 * 2**10]
    restored = CountModel.from_json(json.loads(json.dumps(model.to_json())), space)
    with pytest.raises(ValueError, match="needs its family"):
        restored.counts({"bits": 5})


def test_spaces_too_small_to_confirm_are_counted_right_all_the_same() -> None:
    """Nine points for the six monomials of x + x y^2 and their confirmation, then six points, then one."""
    for xs, ys in (((2, 3, 4), (5, 7, 11)), ((2, 3), (5, 7, 11)), ((2,), (5,))):
        space = Space((Parameter(name="x", choices=xs), Parameter(name="y", choices=ys)))
        model = fit_counts(Rule(space, lambda x, y: x + x * y * y))
        expected = [3 * (x + x * y * y) for x in xs for y in ys]
        assert model.table(space.listed())[0].tolist() == expected


def test_counts_survive_json() -> None:
    family = MLPFamily.from_widths([(2, 3, 4)] * 3)
    model = fit_counts(family)
    assert CountModel.from_json(json.loads(json.dumps(model.to_json())), family.space) == model
    with pytest.raises(ValueError, match="another search space"):
        CountModel.from_json(model.to_json(), mlp_preset().space)


def test_monotony_against_brute_force() -> None:
    space = Space((Parameter(name="x", choices=(1, 2, 3, 4, 5)), Parameter(name="y", choices=(1, 2, 3))))
    rising = fit_counts(Rule(space, lambda x, y: x * x - x + y + 1)).parameters  # a negative coefficient, yet rising
    falling = fit_counts(Rule(space, lambda x, y: 40 - 6 * x + x * x + y)).parameters
    assert rising is not None
    assert falling is not None
    assert rising.monotone(space) is True
    verdict, evidence = falling.order(space)
    assert verdict is False
    assert "only" in evidence
    # the same falling rule where constraints keep only its rising branch
    kept = Space(space.parameters, (Constraint("x >= 3"),))
    branch = fit_counts(Rule(kept, lambda x, y: 40 - 6 * x + x * x + y)).parameters
    assert branch is not None
    assert branch.monotone(kept) is None


def test_failing_builds_name_family_and_architecture() -> None:
    def broken(width: int) -> int:
        raise RuntimeError("kaput")

    family = Rule(Space((Parameter(name="width", choices=(1, 2)),)), broken)
    with pytest.raises(ValueError, match=r"rule.*width.*kaput") as caught:
        fit_counts(family)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_empty_space_is_refused() -> None:
    space = Space((Parameter(name="width", choices=(1, 2)),), (Constraint("width > 2"),))
    with pytest.raises(ValueError, match="constraints"):
        fit_counts(Rule(space, lambda width: width))
