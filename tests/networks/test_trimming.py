"""A network with some of its words says the same with them, opened again: states to the bit, and logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
    GenerationConfig,
    ViTConfig,
    ViTModel,
    WhisperForConditionalGeneration,
)

from networks.zoo import ANSWER, MASK, ZOO, make
from subarch.networks.trimming import answers_apart, named_words, trimmed

WORDS = sorted(kind for kind, tiny in ZOO.items() if "vocab_size" in tiny.fixed)
SPOKEN = {"decoder_input_ids": torch.tensor([[3, 40, 52, 7, 9], [3, 9, 9, 40, 33]])}


Inputs = dict[str, Tensor]


def smaller(kind: str, auto: Any, folder: Path, **more: Any) -> tuple[Any, Any, Tensor, Inputs, Inputs]:
    """A tiny network, one with half of its words out of a folder, which ones, and inputs of both."""
    tiny = ZOO[kind]
    network = make(kind, auto=auto, **more)
    named = named_words(network.config, getattr(network, "generation_config", None))
    inputs = {name: SPOKEN.get(name, values) for name, values in tiny.inputs.items()}
    spoken = {int(one) for name, ids in inputs.items() if name.endswith("input_ids") for one in ids[:, ::2].flatten()}
    kept = torch.tensor(sorted(named | spoken))
    assert len(kept) < 61
    numbers = {int(old): new for new, old in enumerate(kept)}
    every = {name: ids[:, ::2] if name.endswith("input_ids") or name in MASK else ids for name, ids in inputs.items()}
    trimmed(network, kept, inputs).save_pretrained(folder)
    alike = {"experts_implementation": "batched_mm"} if "num_local_experts" in tiny.fixed else {}
    again = auto.from_pretrained(folder, attn_implementation="eager", **alike).eval()
    theirs = {
        name: ids.clone().apply_(numbers.__getitem__) if name.endswith("input_ids") else ids
        for name, ids in every.items()
    }
    return network, again, kept, every, theirs


@pytest.mark.parametrize("kind", WORDS)
def test_states_are_the_same_to_the_bit(kind: str, tmp_path: Path) -> None:
    network, small, kept, ours, theirs = smaller(kind, AutoModel, tmp_path)
    with torch.no_grad():
        assert torch.equal(network(**ours)[0], small(**theirs)[0])
    assert small.config.vocab_size == len(kept) == len(small.get_input_embeddings().weight)
    lost = sum(one.numel() for one in network.parameters()) - sum(one.numel() for one in small.parameters())
    assert lost == (61 - len(kept)) * network.get_input_embeddings().weight.shape[1]  # rows of one table, no more
    for name, number in small.config.to_dict().items():
        old = getattr(network.config, name)
        if name.endswith("_token_id") and isinstance(old, int) and old < 61:
            assert int(kept[number]) == old, name


_MASKED = (
    "bert roberta xlm-roberta camembert data2vec-text electra mpnet distilbert albert deberta deberta-v2 modernbert "
    "roformer"
)
_NEXT = "xlnet gpt2 gpt_neox opt bloom phi3 llama mistral qwen2 qwen3 gemma gemma2 gemma3_text nemotron mixtral mamba"


class Whisper:
    """What speaks of sounds has no class that is chosen by its config."""

    from_pretrained = WhisperForConditionalGeneration.from_pretrained

    @staticmethod
    def from_config(config: Any, **_: Any) -> WhisperForConditionalGeneration:
        return WhisperForConditionalGeneration(config)


SPEAKING: dict[str, Any] = {
    **dict.fromkeys(_MASKED.split(), AutoModelForMaskedLM),
    **dict.fromkeys(_NEXT.split(), AutoModelForCausalLM),
    **dict.fromkeys(("t5", "bart"), AutoModelForSeq2SeqLM),
    "whisper": Whisper,
}


def test_every_type_that_reads_words_also_speaks_here() -> None:
    assert sorted(SPEAKING) == WORDS


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", WORDS)
def test_logits_of_words_that_stay(kind: str, tied: bool, tmp_path: Path) -> None:
    network, small, kept, ours, theirs = smaller(kind, SPEAKING[kind], tmp_path, tie_word_embeddings=tied)
    with torch.no_grad():
        wanted, got = network(**ours).logits[..., kept], small(**theirs).logits
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    assert answers_apart(network, small, [(ours, theirs)], kept) < 1e-5
    # Rows and biases go from every tensor that has one a word: none of the old extent is left.
    assert not [name for name, one in small.state_dict().items() if 61 in one.shape]


def test_a_classifier_keeps_its_head(tmp_path: Path) -> None:
    network, small, _, ours, theirs = smaller("xlm-roberta", AutoModelForSequenceClassification, tmp_path)
    with torch.no_grad():
        assert torch.equal(network(**ours).logits, small(**theirs).logits)


TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(1, 30)), st.integers(1, 28))
def test_any_choice_in_any_order(order: list[int], count: int) -> None:
    kept = torch.tensor([*order[:count], 0])
    network = BertModel(BertConfig(vocab_size=30, pad_token_id=0, **TINY), add_pooling_layer=False).eval()
    small = trimmed(network, kept)
    ids = torch.arange(count)[None]
    with torch.no_grad():
        assert torch.equal(small(ids).last_hidden_state, network(kept[ids]).last_hidden_state)
    assert small.config.pad_token_id == count


def test_what_generates_names_its_words_anew() -> None:
    network = make("gpt2", auto=AutoModelForCausalLM, bos_token_id=50, eos_token_id=[7, 9], pad_token_id=None)
    cast("Any", network).generation_config = GenerationConfig(eos_token_id=[7, 9], suppress_tokens=[3, 50])
    named = named_words(network.config, network.generation_config)
    assert named == {3, 7, 9, 50}
    small = trimmed(network, torch.tensor([3, 7, 9, 11, 50]))
    assert (small.config.bos_token_id, small.config.eos_token_id) == (4, [1, 2])
    assert (small.generation_config.eos_token_id, small.generation_config.suppress_tokens) == ([1, 2], [0, 4])
    cast("Any", network).generation_config = GenerationConfig(bad_words_ids=[[3, 4]])
    with pytest.raises(ValueError, match="bad_words_ids"):
        named_words(network.config, network.generation_config)


def test_positions_counted_from_the_padding_stay_where_they_are() -> None:
    assert named_words(make("roberta", pad_token_id=3, bos_token_id=None, eos_token_id=None).config) == {0, 1, 2, 3}
    assert named_words(make("bert", pad_token_id=3).config) == {3}


@pytest.mark.parametrize(
    ("kept", "words"),
    [([], "different words"), ([0, 61], "different words"), ([0, 5, 5], "different words"), ([4, 5], "word 0")],
)
def test_words_that_cannot_be_kept(kept: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        trimmed(make("bert"), torch.tensor(kept, dtype=torch.long))


def test_what_reads_no_words() -> None:
    network = ViTModel(ViTConfig(**TINY, image_size=32, patch_size=8))
    with pytest.raises(ValueError, match="vocabulary"):
        trimmed(network, torch.tensor([0]), ZOO["vit"].inputs)
    assert ANSWER  # the zoo's inputs of decoders are of words, too
