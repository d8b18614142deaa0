"""A network that knows some of its source's words alone, and says the same with them.

A vocabulary is an atom that is looked up by number (:mod:`subarch.networks.tracing`): the table, a tied output and its
bias have it, and are cut together; an output of its own has another one, along the last axis of the logits. No network
is known by name here. Whatever a config names by the number of a word is numbered anew.

>>> from transformers import BertConfig, BertModel
>>> tiny = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
>>> network = BertModel(BertConfig(vocab_size=40, pad_token_id=0, **tiny)).eval()
>>> small = trimmed(network, torch.tensor([0, 3, 7, 11, 30]))
>>> small.config.vocab_size, small.config.pad_token_id
(5, 0)
>>> ours, theirs = network(torch.tensor([[7, 30, 3]])), small(torch.tensor([[2, 4, 1]]))
>>> torch.allclose(ours.last_hidden_state, theirs.last_hidden_state, atol=1e-6)
True
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from subarch.errors import InputError
from subarch.networks.axes import Atom, extent, leaves, positions
from subarch.networks.layouts import without_pooler
from subarch.networks.positions import positions_of
from subarch.networks.stock import plain_config, token_inputs
from subarch.networks.tracing import Inputs, Traced, made_anew, tensors_of, told, trace

_TRACED = (2, 8)  # texts and tokens of the pass that is traced
_NUMBERS = re.compile(r".*_token_ids?|(begin_)?suppress_tokens")
_NESTED = ("forced_decoder_ids", "bad_words_ids", "force_words_ids", "sequence_bias")


def named_words(config: PretrainedConfig, generation: Any = None) -> set[int]:
    """Numbers of words that a config names, and of those that keep the numbers of others what they must be.

    Args:
        config: of the network.
        generation: of how it generates, where it does.
    """
    found = {number for one in (config, generation) for _, numbers in _fields(one) for number in _listed(numbers)}
    # Where positions are counted from the padding, its own number must not change.
    padding: Any = getattr(config, "pad_token_id", None)
    if padding and positions_of(config).first:
        found |= set(range(int(padding)))
    return {number for number in found if 0 <= number < int(cast("Any", config).vocab_size)}


def _fields(config: Any) -> Iterator[tuple[str, int | list[int]]]:
    values: Mapping[str, Any] = {} if config is None else config.to_dict()
    for name, value in values.items():
        if name in _NESTED and value:
            raise InputError(
                f"the config names words by their numbers under {name}, which are not dealt anew here: remove it, or "
                "leave --vocabulary away"
            )
        if _NUMBERS.fullmatch(name) and isinstance(value, int | list) and not isinstance(value, bool):
            yield name, cast("int | list[int]", value)


def _listed(numbers: int | list[int]) -> list[int]:
    return numbers if isinstance(numbers, list) else [numbers]


def _renumbered(config: Any, numbers: Mapping[int, int], rows: int) -> None:
    """Give words that a config names their new numbers, in place; what names no word stays."""
    for name, value in list(_fields(config)):
        if gone := [one for one in _listed(value) if 0 <= one < rows and one not in numbers]:
            raise InputError(f"the config names word {gone[0]} as its {name}, which is not among those that stay")
        new = [numbers.get(one, one) for one in _listed(value)]
        setattr(config, name, new if isinstance(value, list) else new[0])


@torch.no_grad()
def trimmed(network: PreTrainedModel, kept: Tensor, inputs: Inputs | None = None) -> PreTrainedModel:
    """The network with some of its words: word ``n`` of the new one is word ``kept[n]`` of the old one.

    Args:
        network: any stock network that reads or writes words; it stays as it is.
        kept: numbers of words, int64, shape (words,), each once; all that :func:`named_words` names are among them.
        inputs: of one forward pass; some token ids when not given.

    Returns:
        A network of the same class with weights of its own, in evaluation mode.

    Raises:
        ValueError: for a network without a vocabulary, or whose vocabulary is coupled to something else.
    """
    config: Any = copy.deepcopy(network.config)
    rows = int(getattr(config, "vocab_size", 0))
    if not len(kept) or int(kept.min()) < 0 or int(kept.max()) >= rows or len(kept.unique()) != len(kept):
        raise InputError(f"expected different words of a vocabulary of {rows}, got {kept.tolist()[:8]}")
    traced = trace(network, _example(network) if inputs is None else inputs)
    units = dict.fromkeys(_words(network, traced, rows), kept)
    numbers = {int(old): new for new, old in enumerate(kept)}
    config.vocab_size = len(kept)
    _renumbered(config, numbers, rows)
    with torch.random.fork_rng(devices=[]):
        made = _like(network, config)
    anew, given = made_anew(made), tensors_of(network)
    for name, one in tensors_of(made).items():
        if name in anew:
            continue
        value = given[name]
        for place, axis in enumerate(traced.axes[name]):
            if any(leaf in units for leaf in leaves(axis)):
                value = value.index_select(place, positions(axis, units).to(value.device))
        if value.shape != one.shape:
            raise InputError(
                f"{name} would have the shape {[*value.shape]}, but a network of {len(kept)} words has {[*one.shape]} "
                "there: its vocabulary is coupled to something else. Leave --vocabulary away"
            )
        one.copy_(value)
    if (generation := getattr(network, "generation_config", None)) is not None:
        cast("Any", made).generation_config = generation = copy.deepcopy(generation)
        _renumbered(generation, numbers, rows)
    return made.eval()


def _example(network: PreTrainedModel) -> dict[str, Tensor]:
    inputs = token_inputs(plain_config(network.config), *_TRACED)
    if getattr(network.config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    return inputs


def _words(network: PreTrainedModel, traced: Traced, rows: int) -> set[Atom]:
    """The atoms that count words: of every axis that would be longer if there were one word more."""
    config: Any = copy.deepcopy(network.config)
    config.vocab_size = rows + 1
    with torch.device("meta"):
        longer = tensors_of(_like(network, config))
    found = set[Atom]()
    for name, one in longer.items():
        for axis, size in zip(traced.axes[name], one.shape, strict=True):
            if size == extent(axis):
                continue
            if extent(axis) != rows or len(leaves(axis)) != 1:
                raise InputError(
                    f"{name} has an axis of {extent(axis)} that depends on the vocabulary of {rows}, but not row by "
                    "row: it cannot be cut. Leave --vocabulary away"
                )
            found.add(leaves(axis)[0])
    if not found:
        raise InputError(f"{type(network).__name__} has no table of words, so that none can go")
    return found


def _like(network: PreTrainedModel, config: PretrainedConfig) -> PreTrainedModel:
    """Another one of its class, freshly initialised on the current default device."""
    bare = network.base_model is network and getattr(network, "pooler", None) is None
    options = without_pooler(config) if bare else {}
    return cast("PreTrainedModel", type(cast("Any", network))(config, **options))


@torch.no_grad()
def answers_apart(network: nn.Module, other: nn.Module, pairs: Iterable[tuple[Inputs, Inputs]], kept: Tensor) -> float:
    """How far two networks are apart on the same texts.

    Args:
        network: with all words.
        other: with some.
        pairs: inputs of the one, and of the other.
        kept: as for :func:`trimmed`.

    Returns:
        The largest difference between states, or logits of words that both have, as a share of their mean size.
    """
    apart = size = 0.0
    for ours, theirs in pairs:
        wanted, got = told(network, ours), told(other, theirs)
        if wanted.shape[-1] != got.shape[-1]:
            wanted = wanted.index_select(-1, kept)
        apart = max(apart, float((wanted - got).abs().max()))
        size = max(size, float(wanted.abs().mean()))
    return apart / max(size, 1e-30)
