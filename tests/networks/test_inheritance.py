"""Laws of inheritance: an own-shape student is a copy, and what contributes nothing can go."""

from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2Model,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    RobertaModel,
)

from subarch.networks.inheritance import Inheritance

SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "intermediate_size": 48,
    "max_position_embeddings": 24,
    "num_labels": 3,
}
CLASSES: list[Any] = [
    BertModel,
    BertForMaskedLM,
    BertForSequenceClassification,
    RobertaModel,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
]


def make(kind: Any, **changes: Any) -> PreTrainedModel:
    """A random network with weights ten times the usual, so that every part matters; biases and norms too."""
    torch.manual_seed(1)
    config = BertConfig if "Bert" in kind.__name__ else RobertaConfig
    model = kind(config(**{**SIZES, "initializer_range": 0.2, **changes}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def batch(seed: int = 0, rows: int = 24) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, SIZES["vocab_size"], (rows, 12), generator=generator)
    mask = torch.ones_like(ids)
    mask[::3, 9:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def outputs(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        out = cast("Any", model)(**inputs)
    return out.logits if "logits" in out else out.last_hidden_state


def layers(model: PreTrainedModel) -> Any:
    return cast("Any", model.base_model).encoder.layer


@pytest.mark.parametrize("kind", CLASSES)
def test_a_student_of_the_sources_shape_is_an_independent_copy(kind: Any) -> None:
    source = make(kind)
    student = Inheritance(source, [batch()]).student({n: SIZES[n] for n in ("num_hidden_layers", "hidden_size")})
    assert torch.equal(outputs(student, batch(1)), outputs(source, batch(1)))
    before = outputs(source, batch(1))
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.zero_()
    assert torch.equal(outputs(source, batch(1)), before)


@pytest.mark.parametrize("kind", CLASSES)
def test_students_are_stock_models_that_save_and_load(kind: Any, tmp_path: Any) -> None:
    sizes = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 20}
    student = Inheritance(make(kind), [batch()]).student(sizes)
    assert {n: getattr(student.config, n) for n in sizes} == sizes
    assert student.config.num_attention_heads == 2
    assert not any(tensor.is_meta for tensor in [*student.parameters(), *student.buffers()])
    student.save_pretrained(tmp_path)
    torch.testing.assert_close(outputs(kind.from_pretrained(tmp_path).eval(), batch(1)), outputs(student, batch(1)))
    if "MaskedLM" in kind.__name__:
        assert student.get_output_embeddings().weight is student.get_input_embeddings().weight


@pytest.mark.parametrize("kind", CLASSES)
def test_intermediate_units_and_whole_layers_of_heads_without_output_can_go(kind: Any) -> None:
    source = make(kind)
    with torch.no_grad():
        for number, layer in enumerate(layers(source)):
            unused = torch.randperm(48, generator=torch.Generator().manual_seed(number))[:30]
            layer.output.dense.weight[:, unused] = 0
    student = Inheritance(source, [batch()]).student({"intermediate_size": 18})
    torch.testing.assert_close(outputs(student, batch(1)), outputs(source, batch(1)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", CLASSES)
def test_hidden_units_that_only_repeat_others_can_go_with_their_heads(kind: Any) -> None:
    """Units 16..31 copy 0..15, nothing reads them, and heads 2, 3 write nothing: half the width is the same network.

    Layer normalisation over two copies of a vector has the statistics of one.
    """
    source = make(kind)
    with torch.no_grad():
        for name, module in source.named_modules():
            if isinstance(module, nn.Embedding | nn.LayerNorm):
                for parameter in module.parameters(recurse=False):
                    parameter[..., 16:] = parameter[..., :16]
            if isinstance(module, nn.Linear):
                if name.endswith((".output.dense", "transform.dense", "lm_head.dense")):
                    module.weight[16:], module.bias[16:] = module.weight[:16].clone(), module.bias[:16].clone()
                if not name.endswith(("decoder", ".output.dense")) or name.endswith("attention.output.dense"):
                    module.weight[:, 16:] = 0
    student = Inheritance(source, [batch()]).student({"hidden_size": 16})
    assert student.config.num_attention_heads == 2
    theirs, ours = outputs(source, batch(1)), outputs(student, batch(1))
    if kind in (BertModel, RobertaModel):
        theirs = theirs[..., :16]
    elif "MaskedLM" in kind.__name__:  # the tied decoder reads both copies, less the biases: twice the logits
        bias = cast("Any", source).get_output_embeddings().bias
        theirs = (theirs - bias) / 2 + bias
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_units_that_are_silent_on_all_calibration_data_can_go() -> None:
    source = make(BertModel, hidden_act="relu")
    with torch.no_grad():
        layers(source)[0].intermediate.dense.bias.fill_(-1000)
    student = Inheritance(source, [batch()]).student({"intermediate_size": 47})
    assert all(parameter.isfinite().all() for parameter in student.parameters())
    with torch.no_grad():
        first, ours = (layers(model)[0].intermediate.dense for model in (source, student))
    assert (len(first.weight), len(ours.weight)) == (48, 47)
    inside = {"output_hidden_states": True, **batch(1)}
    with torch.no_grad():
        one, other = (cast("Any", model)(**inside).hidden_states[1] for model in (source, student))
    torch.testing.assert_close(one, other)


def test_rankings_are_nested_and_rows_are_the_sources() -> None:
    source = make(BertModel)
    inheritance = Inheritance(source, [batch()])
    rows = {
        size: inheritance.student({"hidden_size": size}).get_input_embeddings().weight.T.tolist()
        for size in (8, 16, 24)
    }
    columns = source.get_input_embeddings().weight.T.tolist()
    assert all(row in rows[16] for row in rows[8])
    assert all(row in rows[24] for row in rows[16])
    assert all(row in columns for row in rows[24])


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"hidden_size": 16, "num_attention_heads": 4}, "heads have size 8"),
        ({"hidden_size": 20}, "heads have size 8"),
        ({"num_hidden_layers": 4}, "1 to 3 layers"),
        ({"intermediate_size": 49}, r"intermediate_size must lie in 1\.\.48, got 49"),
        ({"hidden_size": 40}, r"hidden_size must lie in 1\.\.32, got 40"),
    ],
)
def test_what_cannot_inherit_says_why(architecture: dict[str, int], message: str) -> None:
    inheritance = Inheritance(make(BertModel), [batch()])
    with pytest.raises(ValueError, match=message):
        inheritance.student(architecture)


def test_other_networks_are_refused() -> None:
    gpt = GPT2Model(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=40))
    with pytest.raises(ValueError, match=r"expected an encoder of model_type bert, .*, got 'gpt2'"):
        Inheritance(gpt, [batch()]).student({})
    with pytest.raises(ValueError, match="calibration"):
        Inheritance(make(BertModel), [])


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.sampled_from([8, 16, 24, 32]), st.integers(1, 48))
def test_every_shape_inherits(depth: int, hidden: int, units: int) -> None:
    source = make(BertForSequenceClassification)
    student = Inheritance(source, [batch()]).student(
        {"num_hidden_layers": depth, "hidden_size": hidden, "intermediate_size": units}
    )
    assert torch.isfinite(outputs(student, batch(1))).all()
    assert len(layers(student)) == depth
