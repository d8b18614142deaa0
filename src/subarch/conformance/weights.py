"""Whether what a family has trained and the examples that it gives are what a search takes them for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, get_args

import torch
from torch import Tensor, nn

from subarch.errors import InputError
from subarch.networks.examples import beginning, digest_of, some, to_judge, to_learn
from subarch.networks.family import Family, Predicted, arguments_of
from subarch.networks.tracing import proven, tensors_of

_SEEN = 2048  # held-out examples that are looked for among as many others
_CLOSE = 1e-4  # of the mean absolute output


def check_weights(family: Family) -> None:
    """Check weights and examples, where there are any.

    Raises:
        AssertionError: naming what is wrong.
    """
    own = type(family)
    given = (own.trained is not Family.trained, own.examples is not Family.examples)
    if not any(given):
        return
    _require(family, all(given), "gives only one of trained() and examples(): candidates inherit where there are both")
    words = ", ".join(get_args(Predicted))
    _require(family, family.predicts in get_args(Predicted), f"predicts {family.predicts!r}: set it to one of {words}")
    with torch.random.fork_rng(devices=[]):
        try:
            _check_trained(family)
            _check_examples(family)
        except InputError as error:
            raise AssertionError(str(error)) from error


def _require(family: Family, condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(f"family {family.name!r}: {message}")


def _check_trained(family: Family) -> None:
    network, again = family.trained(), family.trained()
    if not isinstance(network, nn.Module) or not isinstance(again, nn.Module):
        raise AssertionError(f"family {family.name!r}: trained() must return a torch.nn.Module, got {network!r}")
    _require(family, not network.training, "trained() must return a network in evaluation mode: call eval() on it")
    tensors = tensors_of(network)
    finite = all(bool(torch.isfinite(one).all()) for one in tensors.values())
    _require(family, finite, "trained() has weights that are not finite")
    same = digest_of([tensors]) == digest_of([tensors_of(again)])
    _require(family, same, "trained() gives other weights each time: save them once, and load them there")
    built = family.network(dict(family.reference)).eval()
    shapes, expected = (
        {name: tuple(one.shape) for name, one in found.items()} for found in (tensors, tensors_of(built))
    )
    wrong = [name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name)]
    message = f"trained() is not build(reference): {', '.join(sorted(wrong)[:4])} differ"
    _require(family, not wrong, message)
    built.load_state_dict(network.state_dict())
    (batch, *_) = to_judge(family, 16, 0)
    inputs, names = family.inputs(2, 16), {*arguments_of(batch)}
    message = f"examples() have {sorted(names)}, inputs() gives {sorted(inputs)}: both are what forward reads"
    _require(family, names == {*inputs}, message)
    with torch.no_grad():
        said, wanted = (family.outputs(one, batch) for one in (built, network))
    different = float((said - wanted).abs().max() / wanted.abs().mean().clamp_min(1e-30))
    _require(
        family,
        different < _CLOSE,
        f"with the weights of trained(), build(reference) gives other outputs, by {different:.1e} of their size: it "
        "must be the same network",
    )
    proven(network, beginning(arguments_of(batch)), family.outputs)


def _check_examples(family: Family) -> None:
    for held_out, drawn in ((True, to_judge(family, 64, 3)), (False, to_learn(family, 2, 3))):
        again = to_judge(family, 64, 3) if held_out else to_learn(family, 2, 3)
        message = f"examples(seed=3, held_out={held_out}) are others each time: draw them from the seed alone"
        _require(family, digest_of(drawn) == digest_of(again), message)
    one, other = (digest_of(to_learn(family, 2, seed)) for seed in (3, 4))
    _require(family, one != other, "examples(held_out=False) are the same for every seed: draw them by the seed")
    judging = _rows(to_judge(family, _SEEN, 5))
    learned = set[str]()
    for batch in islice(some(family, _SEEN, 6), _SEEN):
        learned |= {*_rows([batch])}
    shared = sum(row in learned for row in judging)
    message = (
        f"{shared} of {len(judging)} held-out examples are also learned from: examples(held_out=True) must be others"
    )
    _require(family, shared <= len(judging) / 2, message)


def _rows(batches: list[dict[str, Tensor]]) -> list[str]:
    found: list[str] = []
    for batch in batches:
        known: Mapping[str, Any] = arguments_of(batch)
        for place in range(len(next(iter(known.values())))):
            found.append(digest_of([{name: values[place : place + 1] for name, values in known.items()}]))
    return found
