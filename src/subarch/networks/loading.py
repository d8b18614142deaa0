"""Models with all of their weights: what a checkpoint lacks is said, not made up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging as library_logging


def loaded(
    kind: Any, path: str, *, fresh: tuple[str, ...] = (), headless: bool = False, **options: Any
) -> PreTrainedModel:
    """A model with all of its weights.

    Args:
        kind: a stock class with ``from_pretrained``.
        path: a checkpoint folder.
        fresh: parts that may be missing and are then initialised, by a piece of their names.
        headless: whether the whole head may be missing: everything outside the encoder, and the encoder's pooler.
        options: for ``from_pretrained``.

    Raises:
        ValueError: when the weights cannot be read, do not fit the config, or are not all there: the stock library
            would go on with random ones.
    """
    advice = "is the checkpoint whole, and do its config and its weights belong together?"
    try:
        with _quietly():
            model, found = kind.from_pretrained(path, dtype=torch.float32, output_loading_info=True, **options)
    except Exception as error:  # the library and its readers raise a dozen unrelated kinds here
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"the weights of {path} cannot be loaded ({reason}): {advice}") from error
    missing = sorted(name for name in found["missing_keys"] if not any(part in name for part in fresh))
    if headless:
        encoder = f"{model.base_model_prefix}."
        missing = [name for name in missing if name.startswith((encoder,)) and ".pooler." not in name]
    if missing:
        raise ValueError(
            f"the weights of {path} lack {len(missing)} tensors that its config asks for (such as {missing[0]}): "
            f"{advice}"
        )
    return model.eval()


@contextmanager
def _quietly() -> Generator[None]:
    """Without the stock library's remarks on weights that a head of another kind leaves over."""
    level, bars = library_logging.get_verbosity(), library_logging.is_progress_bar_enabled()
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        library_logging.set_verbosity(level)
        if bars:
            library_logging.enable_progress_bar()
