"""The longest input is the longest that the stock network itself reads without a mistake."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, BertModel, RobertaConfig, RobertaModel

from subarch.networks.positions import first_position, longest_input, positions_of

SMALL = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 30}
KINDS = (
    "bert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "data2vec-text",
    "mpnet",
    "distilbert",
    "electra",
    "albert",
    "deberta-v2",
    "roformer",
    "nystromformer",
    "longformer",
    "rembert",
    "xlm",
    "ernie",
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_stock_network_reads_so_many_tokens_and_no_more(kind: str) -> None:
    torch.manual_seed(0)
    more = {"attention_window": [4]} if kind == "longformer" else {}
    config = AutoConfig.for_model(kind, **SMALL, max_position_embeddings=24, **more)
    model = AutoModel.from_config(config).eval()
    longest = longest_input(model)
    assert longest is not None and (first_position(model), longest) == positions_of(config)
    ids = torch.full((1, longest + 1), 7)
    with torch.no_grad():
        model(input_ids=ids[:, :longest], attention_mask=torch.ones_like(ids[:, :longest]))
        with pytest.raises((RuntimeError, IndexError)):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))


def test_positions_begin_where_the_network_has_them() -> None:
    assert first_position(BertModel(BertConfig(**SMALL))) == 0
    assert first_position(RobertaModel(RobertaConfig(**SMALL, pad_token_id=1))) == 2


def test_networks_without_a_table_have_no_limit_or_the_one_that_they_turn_by() -> None:
    relative = AutoConfig.for_model("deberta-v2", **SMALL, position_biased_input=False, relative_attention=True)
    assert positions_of(relative).longest is None
    turning = AutoConfig.for_model("modernbert", **SMALL, max_position_embeddings=48, pad_token_id=0)
    assert positions_of(turning).longest == 48
