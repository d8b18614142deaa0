"""A stock model as one graph: named inputs, one output, any batch and any length.

The stock library's models are traced by ``torch.export``, with attention as one operator of torch's that reads whole
masks; a runtime may bring another kind for its own tracing.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

from subarch.errors import InputError
from subarch.networks.layouts import tells_texts_apart
from subarch.networks.outputs import says_several
from subarch.networks.positions import longest_input
from subarch.networks.sentences import Embedding
from subarch.options.forms import Head

WHOLE = "subarch_whole"
_LANGUAGE_MODELS = ("ForMaskedLM", "ForPreTraining", "LMHeadModel", "ForCausalLM")
UNSEEN = torch.finfo(torch.bfloat16).min  # in 32 bits, too, the most that does not become infinite
_ANY_LENGTH = 1 << 16  # of networks without a limit
_EXAMPLE = (2, 9)  # batch and length of the traced pass; sizes that stand for nothing else in a network


@dataclass(frozen=True)
class Graph:
    """A model and how it is called.

    Attributes:
        model: in evaluation mode.
        head: what it predicts.
        inputs: names, each ``(batch, length)``, int64.
        output: name: ``logits`` ``(batch, classes)``, of a choice ``(batch, 1)`` with one candidate a row, of tags
            ``(batch, length, tags)``, of masked language models ``(batch, length, vocabulary)``;
            ``last_hidden_state`` ``(batch, length, hidden)``; or ``sentence_embedding`` ``(batch, hidden)``.
        embedding: what is made of an encoder's states before they come out; None: nothing.
    """

    model: PreTrainedModel
    head: Head
    inputs: tuple[str, ...]
    output: str
    embedding: Embedding | None = None

    @classmethod
    def of(cls, model: PreTrainedModel, embedding: Embedding | None = None, said: Head | None = None) -> Graph:
        """How a stock encoder is called.

        Args:
            model: with or without a head.
            embedding: of a folder of sentence-transformers: pooling, and unit length.
            said: what its checkpoint says that it predicts, where more than its config says so.

        Raises:
            ValueError: for a head that is not known here.
        """
        config: Any = model.config
        name = type(model).__name__
        if name.endswith("ForSequenceClassification"):
            numbers = config.problem_type == "regression" or config.num_labels == 1
            head: Head = "regression" if numbers else "classification"
            head = "multilabel" if says_several(config, None) else head
        elif name.endswith("ForMultipleChoice"):
            head = "choice"
        elif name.endswith("ForTokenClassification"):
            head = "tokens"
        elif name.endswith("ForMaskedLM"):
            head = "masked-lm"
        elif name.endswith("Model"):
            _require_no_head(name, config)
            head = "encoder"
        else:
            raise InputError(
                f"expected a sequence classification, multiple choice, token classification, masked language or plain "
                f"encoder model, got a {name}: no other heads are exported"
            )
        inputs = ("input_ids", "attention_mask", *(("token_type_ids",) if tells_texts_apart(config) else ()))
        if head == "encoder" and embedding is not None:
            return cls(model.eval(), "embedding", inputs, "sentence_embedding", embedding)
        return cls(model.eval(), said or head, inputs, "last_hidden_state" if head == "encoder" else "logits")

    @property
    def longest(self) -> int:
        """Tokens that it has positions for."""
        return longest_input(self.model) or _ANY_LENGTH

    def forward(self) -> nn.Module:
        """A module that takes the inputs in their order and gives the output."""
        return _Forward(self)

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of one pass, with padding."""
        batch, length = _EXAMPLE
        first = self.padding + 1
        ids = (first + torch.arange(batch * length) % (int(self._config.vocab_size) - first)).view(batch, length)
        mask = torch.ones(batch, length, dtype=torch.int64)
        mask[1, length // 2 :] = 0
        return (ids, mask, torch.zeros_like(ids))[: len(self.inputs)]

    def shapes(self) -> tuple[dict[int, Any], ...]:
        """Which dimensions of the inputs are free."""
        batch, length = Dim("batch", min=1, max=1 << 16), Dim("length", min=2, max=self.longest)
        return ({0: batch, 1: length},) * len(self.inputs)

    @property
    def padding(self) -> int:
        """The token that fills a batch up."""
        return int(self._config.pad_token_id or 0)

    @torch.no_grad()
    def ignores_padding(self) -> bool:
        """Whether a text is answered alike with padding behind it: not so where tokens are mixed without a mask, as by
        convolutions."""
        whole = self.example()
        length = whole[0].shape[1]
        bare = [value[1:, : length // 2] for value in whole]
        filled = [value[1:].clone() for value in whole]
        filled[0][:, length // 2 :] = self.padding
        a, b = (self.forward()(*given).float() for given in (bare, filled))
        if a.ndim == 3:
            b = b[:, : a.shape[1]]
        return bool(torch.allclose(a, b, rtol=0, atol=1e-4 * float(a.abs().max())))

    @property
    def _config(self) -> Any:
        return self.model.config

    @torch.no_grad()
    def traced(self) -> ExportedProgram:
        """The graph, with attention as one operator of torch's and whole masks.

        Raises:
            ValueError: for a model that cannot be traced.
        """
        try:
            with attention_of(self.model, WHOLE):
                return torch.export.export(
                    self.forward(), self.example(), dynamic_shapes=(self.shapes(),), strict=False
                )
        except Exception as error:  # whatever a model's own code and the tracer raise
            raise InputError(_untraceable(self.model, error)) from error


def _require_no_head(name: str, config: Any) -> None:
    """An encoder is exported alone where its checkpoint has no other head than a language model's.

    Raises:
        ValueError: for the encoder inside a checkpoint with another head, which would be left out.
    """
    named = [str(one) for one in getattr(config, "architectures", None) or ()]
    if left := [one for one in named if one != name and "For" in one and not one.endswith(_LANGUAGE_MODELS)]:
        raise InputError(
            f"the checkpoint is a {left[0]}, and only its encoder was opened, without that head: no such heads are "
            "exported (sequence and token classification, multiple choice, masked language and plain encoder models "
            "are); for the encoder alone, save it by itself: AutoModel.from_pretrained(FOLDER).save_pretrained(NEW)"
        )


def _untraceable(model: nn.Module, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{type(model).__name__} cannot be turned into a graph ({reason}): stock encoders without own code can"


class _Forward(nn.Module):
    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.model = graph.model
        self._names, self._output, self._choice = graph.inputs, graph.output, graph.head == "choice"
        self._embedding = graph.embedding

    def forward(self, *values: Tensor) -> Tensor:
        inputs = dict(zip(self._names, values, strict=True))
        if self._choice:
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        found = cast("Any", self.model)(**inputs)
        if self._embedding is not None:
            return self._embedding(found["last_hidden_state"], inputs["attention_mask"])
        return found[self._output]


# --- attention --------------------------------------------------------------------------------------------------------


class WholeAttention:
    """torch's own attention with whole masks, as all runtimes read them; another kind for tracing is derived from it.

    Masks are handed to torch as numbers that are added to the products. Not as truth values: versions of OpenVINO up to
    2025 read those wrongly, without a word. And not with minus infinity: where a token sees nothing, as padding beyond
    a window of the text, a softmax over nothing is no number, and spreads.
    """

    def __init__(self) -> None:
        self._numbers: list[tuple[Tensor, Tensor]] = []

    def mask(self, **asked: Any) -> Tensor:
        """The stock mask, ``(batch, 1, length, length)``, never left out."""
        always: dict[str, Any] = {**asked, "allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
        return cast("Tensor", sdpa_mask(**always))

    def attention(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        **given: Any,
    ) -> tuple[Tensor, None]:
        """``(batch, heads, length, size)`` each to ``(batch, length, heads, size)``."""
        if attention_mask is not None and attention_mask.dtype == torch.bool and given.get("position_bias") is None:
            attention_mask = self._as_numbers(attention_mask)
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)

    def _as_numbers(self, mask: Tensor) -> Tensor:
        for known, numbers in self._numbers:  # all layers have one or two between them
            if known is mask:
                return numbers
        numbers = torch.zeros(mask.shape, dtype=torch.float32).masked_fill(~mask, UNSEEN)
        self._numbers.append((mask, numbers))
        return numbers


@contextmanager
def attention_of(model: PreTrainedModel, implementation: str, kind: WholeAttention | None = None) -> Generator[None]:
    """Let a model's attention be of one kind, and put its own back afterwards.

    A model that does not run torch's attention, by its nature or by its config, keeps what it has.

    Args:
        model: stock.
        implementation: name that the stock library is to know the kind by.
        kind: for one tracing; torch's operator with whole masks when not given.
    """
    kind = kind or WholeAttention()
    AttentionInterface.register(implementation, cast("Any", kind.attention))
    AttentionMaskInterface.register(implementation, cast("Any", kind.mask))
    before = str(cast("Any", model.config)._attn_implementation)
    if before == "sdpa":
        model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        if before == "sdpa":
            model.set_attn_implementation(before)
