"""Every stock type that is tried, at tiny sizes: no coupling is missed, dead units can go, cut students are stock."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
import torch
import transformers
from through import Through
from torch import Tensor, nn
from zoo import ANSWER, TOKENS, ZOO, make

from subarch.networks.axes import Atom, form, leaves, positions
from subarch.networks.correspondence import Match, matched
from subarch.networks.operators.base import RULES, rule
from subarch.networks.tracing import made_anew, require_whole, tensors_of, told, trace

HEADS: dict[str, tuple[str, ...]] = {
    "AutoModelForMaskedLM": (
        "bert", "roberta", "electra", "mpnet", "distilbert", "albert", "deberta-v2", "modernbert", "roformer",
    ),
    "AutoModelForSequenceClassification": (
        "bert", "roberta", "xlm-roberta", "electra", "mpnet", "distilbert", "albert", "deberta-v2", "modernbert",
        "roformer", "t5",
    ),
    "AutoModelForTokenClassification": ("bert", "modernbert", "deberta-v2"),
    "AutoModelForQuestionAnswering": ("bert", "distilbert"),
    "AutoModelForMultipleChoice": ("bert", "roberta"),
    "AutoModelForCausalLM": ("gpt2", "llama", "qwen2", "qwen3", "mistral", "gemma2", "gpt_neox", "opt", "bloom"),
    "AutoModelForSeq2SeqLM": ("t5", "bart"),
    "AutoModelForImageClassification": (
        "vit", "dinov2", "convnext", "resnet", "regnet", "mobilenet_v2", "swin",
    ),
    "AutoModelForCTC": ("wav2vec2",),
    "AutoModelForAudioClassification": ("wav2vec2",),
}  # fmt: skip
FLOATS = 2e-5  # where the library itself computes in 32 bits


def said(network: nn.Module, inputs: Any) -> Tensor:
    with torch.no_grad():
        return told(network, {n: v.double() if v.is_floating_point() else v for n, v in inputs.items()})


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(one.shape) for name, one in tensors_of(network).items()}


def filled(student: Any, source: nn.Module, match: Match) -> Any:
    """The student with the part of its source that fits, in 64 bits; numbers that no checkpoint holds are its own."""
    state = tensors_of(source)
    anew = made_anew(student)
    student = copy.deepcopy(student).double()
    with torch.no_grad():
        for name, one in (*student.named_parameters(), *student.named_buffers()):
            if name not in anew:
                one.copy_(match.taken(match.origin[name], state[match.origin[name]]))
    return student.eval()


@pytest.mark.parametrize("kind", ZOO)
def test_no_coupling_is_missed_and_a_student_of_the_sources_shape_is_the_source(kind: str) -> None:
    source, inputs = make(kind), ZOO[kind].inputs
    traced = trace(source, inputs)
    assert not traced.unknown
    assert require_whole(source, inputs, traced) < FLOATS
    assert traced.free(), "nothing could be cut"
    same = filled(make(kind), source, matched(shapes(source), traced.axes))
    assert torch.equal(said(same, inputs), said(source.double(), inputs))


@pytest.mark.parametrize("kind", ZOO)
def test_a_smaller_student_shows_the_same_axes_runs_and_is_stock(kind: str, tmp_path: Any) -> None:
    source, inputs = make(kind), ZOO[kind].inputs
    traced, student = trace(source, inputs), make(kind, ZOO[kind].smaller)
    match = matched(shapes(student), traced.axes)
    for name, axes in trace(student, inputs).axes.items():
        for ours, own in zip(traced.axes[match.origin[name]], axes, strict=True):
            assert form(ours, match.sizes) == form(own, lambda atom: atom.size), name
    student = filled(student, source, match).float()
    answer = told(student, inputs)
    assert answer.isfinite().all()
    student.save_pretrained(tmp_path)
    experts = {"experts_implementation": "batched_mm"} if kind == "mixtral" else {}  # else one for GPUs
    again = type(student).from_pretrained(tmp_path, attn_implementation="eager", **experts).eval()
    again = copy.deepcopy(again)  # a file's bytes may lie unevenly, and convolutions of such add up in another order
    assert torch.equal(told(again, inputs), answer)


@pytest.mark.parametrize("kind", [kind for kind, tiny in ZOO.items() if tiny.dead])
def test_units_of_nothing_but_zeros_can_go(kind: str) -> None:
    tiny = ZOO[kind]
    source = make(kind)
    traced = trace(source, tiny.inputs)
    student = make(kind, {name: tiny.smaller[name] for name in tiny.dead})
    generator = torch.Generator().manual_seed(5)

    def choose(atom: Atom, count: int) -> Tensor:
        return torch.randperm(atom.size, generator=generator)[:count]

    match = matched(shapes(student), traced.axes, choose)
    gone = [atom for atom, units in match.kept.items() if len(units) < atom.size]
    assert gone
    assert not any(atom.averaged for atom in gone)
    with torch.no_grad():
        for one, name in {one: name for name, one in (*source.named_parameters(), *source.named_buffers())}.items():
            for place, axis in enumerate(traced.axes[name]):
                lost = torch.ones(one.shape[place], dtype=torch.bool)
                lost[positions(axis, match.kept)] = False
                if lost.any() and not name.endswith("running_var"):
                    one.index_fill_(place, lost.nonzero()[:, 0], 0.0)
    cut, whole = said(filled(student, source, match), tiny.inputs), said(source.double(), tiny.inputs)
    for place, axis in enumerate(traced.output):
        whole = whole.index_select(place, positions(axis, match.kept))
    assert float((cut - whole).abs().max()) <= FLOATS * float(whole.abs().mean())


@pytest.mark.parametrize(("auto", "kind"), [(auto, kind) for auto, kinds in HEADS.items() for kind in kinds])
def test_heads_and_tied_tables_are_found_like_all_else(auto: str, kind: str) -> None:
    inputs: dict[str, Tensor] = dict(ZOO[kind].inputs)
    more: dict[str, Any] = {}
    if auto == "AutoModelForMultipleChoice":
        inputs = {name: torch.stack([values, values.flip(1)], 1) for name, values in inputs.items()}
    if auto == "AutoModelForSequenceClassification" and kind == "t5":  # it reads where a text ends
        inputs = {"input_ids": TOKENS["input_ids"].clone()}
        inputs["input_ids"][:, -1] = 1
        more = {"eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0}
    source = make(kind, auto=getattr(transformers, auto), **more)

    def logits(model: nn.Module, given: Any) -> Tensor:
        out: Any = model(**given)
        return out["logits"] if "logits" in out else out["start_logits"]

    traced = trace(source, inputs, logits)
    assert require_whole(source, inputs, traced, logits) < FLOATS
    small = make(kind, ZOO[kind].smaller, getattr(transformers, auto), **more)
    small = filled(small, source, matched(shapes(small), traced.axes))
    with torch.no_grad():
        found = logits(small, {n: v.double() if v.is_floating_point() else v for n, v in inputs.items()})
    assert found.isfinite().all()


def test_an_operator_without_a_rule_fixes_what_it_reads_and_says_so() -> None:
    def frequencies(values: Tensor) -> Tensor:
        return torch.fft.fft(values).real

    source, inputs = Through(frequencies), {"values": torch.randn(5, 3)}
    traced = trace(source, inputs)
    assert "_fft_r2c" in traced.unknown
    with pytest.raises(ValueError, match=r"into\.weight: an axis of 12 cannot become 4, it is read by _fft_r2c, an op"):
        matched(shapes(Through(frequencies, 4)), traced.axes)


class Mixed(nn.Module):
    """Adds a unit to its neighbour, which a wrong rule does not tell."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, width), nn.Linear(width, 2)

    def forward(self, values: Tensor) -> Tensor:
        inner = self.first(values)
        return self.last(inner + inner.roll(1, -1))


def test_a_coupling_that_was_missed_is_found_by_another_order_of_units() -> None:
    source, inputs = Mixed(), {"values": torch.randn(5, 3)}
    before = {name: one.clone() for name, one in tensors_of(source).items()}
    require_whole(source, inputs, trace(source, inputs))  # by its rule, what is read in another order is fixed
    right = RULES["roll"]
    try:
        rule("roll")(lambda call: [call.axes("self")])
        with pytest.raises(ValueError, match="Mixed cannot be cut: with its units in another order it answers otherw"):
            require_whole(source, inputs, trace(source, inputs))
    finally:
        RULES["roll"] = right
    assert all(torch.equal(one, before[name]) for name, one in tensors_of(source).items())


def test_norms_that_write_the_stream_are_told_from_those_that_feed_a_branch() -> None:
    assert len(trace(make("bert"), TOKENS).writers) == 8  # all of nine but the last, which nothing is added to
    assert not trace(make("gpt2"), TOKENS).writers
    assert not trace(make("t5"), {**TOKENS, **ANSWER}).writers


def test_tracing_leaves_a_network_in_training_as_it_was() -> None:
    source = make("bert").train()
    state = {name: (one.data_ptr(), one.clone()) for name, one in tensors_of(source).items()}
    traced = trace(source, TOKENS)
    require_whole(source, TOKENS, traced)
    assert source.training
    assert all(
        one.data_ptr() == state[name][0] and torch.equal(one, state[name][1])
        for name, one in tensors_of(source).items()
    )


def test_axes_of_attention_are_heads_times_their_size() -> None:
    source: Any = make("bert")
    axes = trace(source, TOKENS).axes
    query, key, value, after = (
        axes[f"encoder.layer.1.attention.{part}.weight"]
        for part in ("self.query", "self.key", "self.value", "output.dense")
    )
    heads, size = leaves(query[0])
    assert (heads.size, size.size) == (6, 8)
    assert leaves(key[0]) == [heads, size]
    assert leaves(value[0]) == leaves(after[1])
    assert leaves(value[0])[0] is heads  # the sizes of queries and of values are two
    assert leaves(value[0])[1] is not size
    assert leaves(query[1]) == leaves(after[0]) == leaves(axes["embeddings.LayerNorm.weight"][0])


def test_networks_that_cannot_run_on_their_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="Linear cannot be traced, it fails on its own inputs: RuntimeError"):
        trace(nn.Linear(3, 4), cast("Any", {"input": torch.zeros(2, 5)}))
