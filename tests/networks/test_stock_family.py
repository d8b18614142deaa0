"""Families of any stock type from their config alone: they hold what a family promises, students are stock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from zoo import config_of

from subarch.networks.fields import Found, Size
from subarch.networks.inheritance import Inheritance
from subarch.networks.space import Parameter, Space
from subarch.networks.stock_family import StockFamily, derived_space
from subarch.testing import check_family


@pytest.fixture(scope="module")
def gpt2() -> StockFamily:
    return StockFamily.from_config(config_of("gpt2"), auto="AutoModelForCausalLM")


@pytest.mark.parametrize("kind", ["llama", "vit"])
def test_a_family_of_any_type_keeps_what_a_search_takes_for_granted(kind: str) -> None:
    check_family(StockFamily.from_config(config_of(kind)), samples=1)


def test_the_space_is_the_sources_sizes(gpt2: StockFamily) -> None:
    assert {one.name: one.choices for one in gpt2.space.parameters} == {
        "num_hidden_layers": (1, 2, 3, 4),
        "hidden_size": (16, 32, 48),  # heads of 8, in steps of 16
        "n_inner": (8, 16, 24, 32, 40),  # in steps of 8
    }
    assert gpt2.reference == {"num_hidden_layers": 4, "hidden_size": 48, "n_inner": 40}


def test_a_cut_decoder_is_stock_and_says_what_it_said(gpt2: StockFamily, tmp_path: Any) -> None:
    torch.manual_seed(0)
    source = gpt2.build(gpt2.reference).eval()
    batch = gpt2.inputs(4, 9)
    small: Any = Inheritance(source, [batch]).into(lambda: gpt2.build({"num_hidden_layers": 2, "hidden_size": 32}))
    small.save_pretrained(tmp_path)
    again: Any = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert type(again).__name__ == "GPT2LMHeadModel"
    assert (again.config.n_layer, again.config.n_embd, again.config.n_head) == (2, 32, 4)
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, small(**batch).logits)


def test_parts_are_before_among_and_after_the_layers(gpt2: StockFamily) -> None:
    with torch.device("meta"):
        parts = gpt2.parts(gpt2.build({"num_hidden_layers": 2}))
    assert parts.first == ("transformer.wte", "transformer.wpe")  # dropout has no weights
    assert parts.middle == ("transformer.h.0", "transformer.h.1")
    assert parts.last == ("transformer.ln_f", "lm_head")


def test_it_is_made_again_from_json_and_with_another_space(gpt2: StockFamily) -> None:
    assert StockFamily.from_json(json.loads(json.dumps(gpt2.to_json()))) == gpt2
    other = gpt2.with_space(Space((Parameter(name="hidden_size", choices=(16, 48)),)))
    assert other.reference == {"hidden_size": 48}
    assert other.config_for({"hidden_size": 16}).n_head == 2


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (Parameter(name="n_head", choices=(1, 2)), "ordered parameters out of"),
        (Parameter(name="hidden_size", choices=(20,)), "hidden_size must be a multiple of 8 up to 48, got 20"),
        (Parameter(name="hidden_size", choices=(56,)), "hidden_size must be a multiple of 8 up to 48, got 56"),
    ],
)
def test_spaces_that_a_source_does_not_have_are_refused(gpt2: StockFamily, parameter: Parameter, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gpt2.with_space(Space((parameter,)), {parameter.name: parameter.choices[0]})


def test_a_source_of_which_nothing_can_go_is_refused_with_the_reason() -> None:
    only = Found({"width": Size("width", {("width",): 7}, share=0.01)}, {"depth": "its layers are all unlike"})
    with pytest.raises(ValueError, match="nothing of a odd can be made smaller: depth: its layers are all unlike"):
        derived_space({"model_type": "odd"}, only)


@pytest.mark.slow
def test_most_types_of_the_stock_library_are_cut_from_their_config_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    import stock_types

    rows = [stock_types.one(kind, {}, None) for kind in stock_types.ordered()]
    assert sum(row["cut"].endswith("memory") for row in rows) >= 140
    assert all(row["reason"] for row in rows if not row["cut"].endswith("memory")), "each refusal has its reason"
