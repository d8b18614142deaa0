"""A stock model as one graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from models import SIZES as SIZES_OF_BERT
from models import built
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    PreTrainedModel,
)

from subarch.networks.sentences import Embedding
from subarch.running.fused import FUSED, FusedAttention
from subarch.running.graphs import WHOLE, Graph, attention_of

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "num_labels": 3,
    "pad_token_id": 0,
}


def test_other_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="BertForQuestionAnswering"):
        Graph.of(BertForQuestionAnswering(BertConfig(**SIZES_OF_BERT)))


def convbert() -> PreTrainedModel:
    return transformers.ConvBertForSequenceClassification(transformers.ConvBertConfig(**SIZES, embedding_size=32))


def test_padding_that_leaks_into_the_text_is_noticed() -> None:
    torch.manual_seed(0)
    assert not Graph.of(convbert().eval()).ignores_padding()
    assert Graph.of(
        transformers.BertForSequenceClassification(transformers.BertConfig(**SIZES)).eval()
    ).ignores_padding()


def test_an_encoder_in_a_checkpoint_with_another_head_is_refused_by_that_head() -> None:
    config: Any = transformers.BertConfig(**SIZES)
    for name in ("BertForTokenClassification", "BertForQuestionAnswering", "BertForNextSentencePrediction"):
        config.architectures = [name]
        with pytest.raises(ValueError, match=f"{name}.*without that head"):
            Graph.of(transformers.BertModel(config))
    for name in ("BertModel", "BertForMaskedLM", "BertForPreTraining"):
        config.architectures = [name]
        assert Graph.of(transformers.BertModel(config)).head == "encoder"


@pytest.mark.parametrize(
    ("head", "inputs", "output"),
    [
        ("classification", 3, "logits"),
        ("regression", 3, "logits"),
        ("choice", 3, "logits"),
        ("masked-lm", 2, "logits"),  # its kind tells no two texts apart
        ("encoder", 2, "last_hidden_state"),
    ],
)
def test_how_each_head_is_called(head: str, inputs: int, output: str) -> None:
    graph = built(head)
    assert (graph.head, len(graph.inputs), graph.output) == (head, inputs, output)
    example = graph.example()
    assert [value.dtype for value in example] == [torch.int64] * inputs
    said = graph.forward()(*example)
    assert said.shape[0] == len(example[0])
    assert said.shape[1:] == {"classification": (3,), "regression": (1,), "choice": (1,)}.get(head, said.shape[1:])


def test_a_forward_pass_is_the_models() -> None:
    graph = built("classification")
    ids, mask, types = graph.example()
    with torch.no_grad():
        stock = graph.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        assert torch.equal(graph.forward()(ids, mask, types), stock)


def test_an_embedding_comes_out_instead_of_states() -> None:
    model = built("encoder").model
    graph = Graph.of(model, Embedding("mean", normalize=True))
    assert (graph.head, graph.output) == ("embedding", "sentence_embedding")
    with torch.no_grad():
        said = graph.forward()(*graph.example())
    assert said.shape == (2, 64) and torch.allclose(said.norm(dim=-1), torch.ones(2))


def test_lengths_end_where_the_positions_end() -> None:
    assert built("classification").longest == 66
    assert built("encoder").longest == 66 - 2  # its positions begin behind the padding's
    assert built("encoder").padding == 1


def test_attention_is_put_back_whatever_happens() -> None:
    model = built("classification").model
    with pytest.raises(RuntimeError), attention_of(model, WHOLE):
        assert model.config._attn_implementation == WHOLE
        raise RuntimeError
    assert model.config._attn_implementation == "sdpa"
    model.set_attn_implementation("eager")
    with attention_of(model, FUSED, FusedAttention()):  # does not run torch's attention: keeps what it has
        assert model.config._attn_implementation == "eager"


def test_whole_masks_say_the_same_as_the_models_own() -> None:
    graph = built("classification")
    with torch.no_grad():
        before = graph.forward()(*graph.example())
        with attention_of(graph.model, WHOLE):
            assert torch.allclose(graph.forward()(*graph.example()), before, atol=1e-5)
