"""What a model masks, its forms mask: windows, causal masks, biases and padding, on texts longer than any window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedModel

from subarch.running.artifacts import FORMS
from subarch.running.conversion import write
from subarch.running.graphs import Graph

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
MARKS = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}


def modernbert() -> PreTrainedModel:
    windows = {"local_attention": 8, "global_attn_every_n_layers": 3, "initializer_range": 0.3}
    return transformers.ModernBertForSequenceClassification(transformers.ModernBertConfig(**SIZES, **MARKS, **windows))


def deberta() -> PreTrainedModel:
    relative: dict[str, Any] = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
    return transformers.DebertaV2ForSequenceClassification(transformers.DebertaV2Config(**SIZES, **relative))


def mpnet() -> PreTrainedModel:
    sizes = SIZES | {"pad_token_id": 1, "max_position_embeddings": 132}
    return transformers.MPNetForSequenceClassification(transformers.MPNetConfig(**sizes))


def mistral() -> PreTrainedModel:
    windows = {"num_key_value_heads": 1, "sliding_window": 8}
    return transformers.MistralForSequenceClassification(transformers.MistralConfig(**SIZES, **windows))


def convbert() -> PreTrainedModel:
    return transformers.ConvBertForSequenceClassification(transformers.ConvBertConfig(**SIZES, embedding_size=32))


def batch(graph: Graph, rows: int, length: int) -> dict[str, Any]:
    """Random tokens; all rows but the first end in padding, the second after a few."""
    rng = np.random.default_rng(length)
    ids = rng.integers(4, 300, (rows, length))
    mask = np.ones_like(ids)
    for row in range(1, rows):
        end = 5 if row == 1 else int(rng.integers(1, length))
        ids[row, end:], mask[row, end:] = graph.padding, 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def differs(make: Callable[[], PreTrainedModel], runtime: Any, folder: Path) -> tuple[float, int]:
    """The largest difference from the stock model as a share of its largest output, and how many layers are fused."""
    pytest.importorskip(FORMS[runtime].runtime)
    torch.manual_seed(0)
    model = make()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    graph = Graph.of(model.eval())
    (form,) = write(graph, folder, [runtime], [])
    program, worst = form.open(folder, threads=1), 0.0
    for rows, length in ((1, 5), (1, 128), (4, 120)):
        inputs = batch(graph, rows, length)
        with torch.no_grad():
            stock = model(**{name: torch.from_numpy(inputs[name]) for name in graph.inputs}).logits.numpy()
        said = program(inputs)
        assert np.isfinite(said).all()
        worst = max(worst, float(np.abs(said - stock).max() / np.abs(stock).max()))
    if runtime != "onnx":
        return worst, 0
    onnx = pytest.importorskip("onnx")
    return worst, sum(node.op_type == "MultiHeadAttention" for node in onnx.load(str(folder / form.file)).graph.node)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_windows_reach_the_forms(runtime: Any, tmp_path: Path) -> None:
    worst, fused = differs(modernbert, runtime, tmp_path)
    assert worst < 1e-4
    assert fused == (1 if runtime == "onnx" else 0)  # of three layers one looks at everything


def test_a_model_that_changes_its_mask_on_the_way_keeps_torchs_attention(tmp_path: Path) -> None:
    class PeculiarForSequenceClassification(transformers.BertForSequenceClassification):
        """Lets each token look at the two before it alone, by a mask of its own made from the stock one."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            for layer in self.bert.encoder.layer:
                layer.register_forward_pre_hook(self._narrowed, with_kwargs=True)

        @staticmethod
        def _narrowed(_: Any, given: tuple[Any, ...], more: dict[str, Any]) -> Any:
            states, mask, *rest = given
            places = torch.arange(states.shape[1])
            far = (places[:, None] - places[None, :]).abs() > 2
            if mask is None:  # nothing is padded
                mask = torch.ones(states.shape[:2])
            if mask.ndim == 2:
                mask = mask[:, None, None, :]
            return (states, (mask > 0) & ~far, *rest), more

    worst, fused = differs(
        lambda: PeculiarForSequenceClassification(transformers.BertConfig(**SIZES)), "onnx", tmp_path
    )
    assert worst < 1e-4 and fused == 0


@pytest.mark.slow
@pytest.mark.parametrize("make", [deberta, mpnet, mistral, convbert])
def test_other_masks_and_biases_reach_onnx(make: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    worst, fused = differs(make, "onnx", tmp_path)
    assert worst < 1e-4 and (fused == 0 or make is convbert)


@pytest.mark.slow
@pytest.mark.parametrize("make", [deberta, mpnet, convbert])
def test_other_masks_and_biases_reach_openvino(make: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    assert differs(make, "openvino", tmp_path)[0] < 1e-4
