"""Models with all of their weights: what a checkpoint lacks is said, not made up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModel, PretrainedConfig, PreTrainedModel

from subarch.errors import InputError
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.layouts import without_pooler
from subarch.networks.sentences import Activation
from subarch.silence import quiet_transformers


def loaded(
    kind: Any,
    given: Checkpoint | Path | str,
    *,
    config: PretrainedConfig | None = None,
    num_labels: int | None = None,
    fresh: tuple[str, ...] = (),
    headless: bool = False,
    **options: Any,
) -> PreTrainedModel:
    """A model with all of its weights.

    Args:
        kind: a stock class with ``from_pretrained``.
        given: a checkpoint, or its folder.
        config: another one than the checkpoint's own.
        num_labels: outputs of a head that is made anew.
        fresh: parts that may be missing and are then initialised, by a piece of their names.
        headless: whether the whole head may be missing: everything outside the encoder, and the encoder's pooler.
        options: for ``from_pretrained``.

    Raises:
        ValueError: when the weights cannot be read, do not fit the config, or are not all there: the stock library
            would go on with random ones.
    """
    checkpoint = open_checkpoint(given)
    path = str(checkpoint.folder)
    # What the config says is known: the library would read it once more, and a second time for its own code.
    config = checkpoint.stock if config is None else config
    if num_labels is not None:
        config.num_labels = num_labels
    advice = "is the checkpoint whole, and do its config and its weights belong together?"
    try:
        with quiet_transformers():
            model, found = kind.from_pretrained(
                path, config=config, dtype=torch.float32, output_loading_info=True, **options
            )
    except Exception as error:  # the library and its readers raise a dozen unrelated kinds here
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"the weights of {path} cannot be loaded ({reason}): {advice}") from error
    missing = sorted(name for name in found["missing_keys"] if not any(part in name for part in fresh))
    if headless:
        encoder = f"{model.base_model_prefix}."
        missing = [name for name in missing if name.startswith((encoder,)) and ".pooler." not in name]
    if missing:
        raise InputError(
            f"the weights of {path} lack {len(missing)} tensors that its config asks for (such as {missing[0]}): "
            f"{advice}"
        )
    if broken := [name for name, one in model.named_parameters() if not one.isfinite().all()]:
        raise InputError(
            f"the weights of {path} are not finite (NaN or infinity in {broken[0]}), and so would be every answer: "
            "did its training diverge, or was it cast to 16 bits? Give an earlier checkpoint"
        )
    return model.eval()


def encoder_alone(given: Checkpoint | Path | str) -> PreTrainedModel:
    """The encoder of a checkpoint, without head and pooler.

    Raises:
        ValueError: as :func:`loaded`.
    """
    checkpoint = open_checkpoint(given)
    options: dict[str, Any] = dict(without_pooler(checkpoint.stock))
    return loaded(AutoModel, checkpoint, **options)


def whole_network(checkpoint: Checkpoint) -> PreTrainedModel:
    """A checkpoint as it answers: with its own head, and with what its output goes through.

    Raises:
        ValueError: for a head that nothing here reads, and as :func:`loaded`.
    """
    kind = checkpoint.whole().head.opened_by(checkpoint.stock)
    model = loaded(kind, checkpoint, fresh=("pooler",) if checkpoint.head.kind == "encoder" else ())
    if checkpoint.activation is not None:
        cast("nn.Module", model).register_forward_hook(_Activated(checkpoint.activation))
    return model


@dataclass(frozen=True)
class _Activated:
    """Part of the network, so that nobody who asks it can forget it; a class and not a closure, to travel."""

    activation: Activation

    def __call__(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        output["logits"] = getattr(torch, self.activation)(output["logits"])
        return output
