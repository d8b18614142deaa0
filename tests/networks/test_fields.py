"""Fields of stock configs: which are numbers, what they are called, and other values in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig

from subarch.networks.fields import Found, Size, canonical, deepened, fields_of
from subarch.networks.stock import plain_config


def test_layers_keep_their_kinds() -> None:
    config = {"num_hidden_layers": 4, "layer_types": ["a", "b", "a", "c"], "vocab_size": 4}
    made = deepened(config, {("num_hidden_layers",): 2})
    assert (made["num_hidden_layers"], made["layer_types"]) == (2, ["b", "c"])
    assert deepened(config, {("num_hidden_layers",): 2}, lone=1)["layer_types"] == ["a", "c"]


def test_canonical_names_are_the_stock_librarys() -> None:
    config = plain_config(AutoConfig.for_model("gpt2"))
    assert canonical(config, ("n_embd",)) == "hidden_size"
    assert canonical(config, ("n_inner",)) == "n_inner"


def test_fields_of_parts_are_found_with_their_part() -> None:
    config = {"projection_dim": 8, "tie": True, "text_config": {"hidden_size": 4, "ones": [1, 1]}, "depths": [1, 3]}
    assert dict(fields_of(config)) == {
        ("projection_dim",): 8,
        ("text_config", "hidden_size"): 4,
        ("depths",): (1, 3),
    }


@given(st.integers(1, 9), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.data())
def test_fields_stay_in_proportion(unit: int, shares: list[int], data: st.DataObject) -> None:
    values = {(str(n),): unit * share for n, share in enumerate(shares)}
    size = Size("width", values)
    wanted = data.draw(st.integers(1, size.full // size.unit)) * size.unit
    assert all(made * size.full == values[path] * wanted for path, made in size.at(wanted).items())
    assert Size.from_json(json.loads(json.dumps(size.to_json()))) == size
    with pytest.raises(ValueError, match="width must be a multiple of"):
        size.at(size.full + size.unit)


def test_a_name_that_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"an architecture of bert may name \['width'\], got \['wide'\]"):
        Found({"width": Size("width", {("width",): 4})}).config({"model_type": "bert", "width": 4}, {"wide": 2})
