"""Polynomials of counts, found exactly: against formulas by hand, random polynomials and brute force."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rules import Rule

from subarch.networks.counting import Counts, count
from subarch.networks.encoder import EncoderFamily, bort_preset
from subarch.networks.family import Family
from subarch.networks.fitting import fit_counts
from subarch.networks.mlp import mlp_preset
from subarch.networks.space import Architecture, Constraint, Parameter, Space


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


def test_spaces_too_small_to_confirm_are_counted_right_all_the_same() -> None:
    """Nine points for the six monomials of x + x y^2 and their confirmation, then six points, then one."""
    for xs, ys in (((2, 3, 4), (5, 7, 11)), ((2, 3), (5, 7, 11)), ((2,), (5,))):
        space = Space((Parameter(name="x", choices=xs), Parameter(name="y", choices=ys)))
        model = fit_counts(Rule(space, lambda x, y: x + x * y * y))
        expected = [3 * (x + x * y * y) for x in xs for y in ys]
        assert model.table(space.listed())[0].tolist() == expected


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


def test_empty_space_is_refused() -> None:
    space = Space((Parameter(name="width", choices=(1, 2)),), (Constraint("width > 2"),))
    with pytest.raises(ValueError, match="constraints"):
        fit_counts(Rule(space, lambda width: width))


def test_a_sequence_too_long_is_told_as_that_and_not_as_a_family_that_fails() -> None:
    space = Space.from_json({"num_hidden_layers": [1, 2], "hidden_size": [8, 24], "intermediate_size": [16, 40]})
    with pytest.raises(ValueError, match=r"^expected a sequence length from 1 to 64, .* got 128: give --sequence-len"):
        fit_counts(EncoderFamily.from_config(tiny_bert(), space), sequence_length=128)
