"""Stock configs in other sizes: what follows a size follows it, and layers keep their kinds."""

from __future__ import annotations

from typing import Any, cast

import pytest
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification
from zoo import ZOO, make

from subarch.networks.encoder import derived_space
from subarch.networks.layouts import LAYOUTS, sizes_in
from subarch.networks.stock import kept_layers, like, plain_config, resize, resized


@pytest.mark.parametrize("kind", LAYOUTS)
def test_other_sizes_are_those_asked_for_and_the_network_runs(kind: str) -> None:
    wanted = {"num_hidden_layers": 2, "hidden_size": 24, "intermediate_size": 20}
    model: Any = like(make(kind, auto=AutoModelForSequenceClassification), wanted)
    assert sizes_in(model.config) == {**wanted, "num_attention_heads": 3}
    assert model.eval()(**ZOO[kind].inputs).logits.isfinite().all()


def test_what_follows_a_size_follows_it() -> None:
    config = plain_config(make("deberta-v2").config)
    assert resized(config, {"hidden_size": 24})["pooler_hidden_size"] == 24
    distilled = resized(plain_config(make("distilbert").config), {"hidden_size": 24, "intermediate_size": 8})
    assert (distilled["dim"], distilled["hidden_dim"]) == (24, 8)


@pytest.mark.parametrize("kind", ["electra", "roformer"])
def test_a_projection_behind_the_embeddings_neither_comes_nor_goes(kind: str) -> None:
    """Without one, embeddings are as wide as the layers, however wide these are; with one, they are never as wide."""
    equal = like(make(kind, embedding_size=48), {"hidden_size": 24})
    assert cast("Any", equal).config.embedding_size == 24
    assert not hasattr(equal, "embeddings_project")
    config = plain_config(make(kind, embedding_size=24).config)
    with pytest.raises(ValueError, match="hidden_size must not be 24: that is the embedding_size"):
        resized(config, {"hidden_size": 24})
    choices = {one.name: one.choices for one in derived_space(config).parameters}["hidden_size"]
    assert 24 not in choices and 16 in choices and 48 in choices


def test_layers_keep_their_kinds() -> None:
    """ModernBERT's first layer is made unlike the others; every third one sees the whole text."""
    config: Any = AutoConfig.for_model("modernbert", num_hidden_layers=7)
    whole, window = "full_attention", "sliding_attention"
    assert config.layer_types == [whole, window, window, whole, window, window, whole]
    assert kept_layers(plain_config(config), 3) == (0, 3, 6)
    resize(config, {"num_hidden_layers": 3})
    assert config.layer_types == [whole, whole, whole]
    resize(config, {"num_hidden_layers": 2}, (1, 2))
    assert (config.num_hidden_layers, config.layer_types) == (2, [whole, whole])


@pytest.mark.parametrize(("depth", "kept"), [(1, (0,)), (2, (0, 6)), (7, tuple(range(7)))])
def test_the_first_layer_of_its_own_make_stays(depth: int, kept: tuple[int, ...]) -> None:
    config = plain_config(AutoConfig.for_model("modernbert", num_hidden_layers=7))
    assert kept_layers(config, depth) == kept


def test_a_backbone_without_pooler_stays_without() -> None:
    source = make("bert")
    bare = AutoModel.from_config(source.config, add_pooling_layer=False)
    assert like(source, {}).pooler is not None
    assert like(bare, {}).pooler is None
