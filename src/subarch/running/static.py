"""Static embeddings: a network of depth 0, which numpy runs.

Every token has one vector, a text is the mean of its tokens' vectors, and a linear map makes scores of that. So the map
can be taken into the table: a text's scores are the mean of its tokens' scores, and the table has a column for each
output instead of one for each hidden unit. Of a pair of texts, which a tokenizer tells apart, the map reads both means
u and v, ``|u - v|`` and ``u * v``, and the table stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.running.base import Inputs


class StaticProgram:
    """Such a network.

    Args:
        table: a row for each token: ``(vocabulary, outputs)``, or ``(vocabulary, hidden)`` of pairs.
        bias: ``(outputs,)``.
        pairs: the map of pairs, ``(4 * hidden, outputs)``; None: the table has scores itself.

    Raises:
        ValueError: for arrays that do not go together.
    """

    FILES: ClassVar[tuple[str, ...]] = ("static.npz",)

    def __init__(
        self, table: NDArray[np.float32], bias: NDArray[np.float32], pairs: NDArray[np.float32] | None = None
    ) -> None:
        wanted = (table.shape[1],) if pairs is None else (pairs.shape[1],)
        if table.ndim != 2 or bias.shape != wanted or (pairs is not None and len(pairs) != 4 * table.shape[1]):
            raise InputError(f"expected a table of tokens and a map that fits it, got {table.shape} and {bias.shape}")
        self._table, self._bias, self._pairs = table, bias, pairs
        mask = ("input_ids", "attention_mask")
        self.inputs: Sequence[str] = mask if pairs is None else (*mask, "token_type_ids")

    @classmethod
    def opened(cls, folder: Path) -> StaticProgram:
        """As :meth:`write` left it."""
        with np.load(folder / cls.FILES[0], allow_pickle=False) as arrays:
            return cls(arrays["table"], arrays["bias"], arrays["pairs"] if "pairs" in arrays.files else None)

    def write(self, folder: Path) -> None:
        """Its file, into a folder."""
        if self._pairs is None:
            np.savez(folder / self.FILES[0], table=self._table, bias=self._bias)
        else:
            np.savez(folder / self.FILES[0], table=self._table, bias=self._bias, pairs=self._pairs)

    def __call__(self, inputs: Inputs, /) -> NDArray[np.float32]:
        """Scores ``(batch, outputs)``; inputs as of any network."""
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        rows = self._table[ids]  # (batch, length, columns)
        if self._pairs is None:
            return mean(rows, mask) + self._bias
        types = inputs["token_type_ids"]
        one, other = (mean(rows, mask * (types == n)) for n in (0, 1))
        return np.concatenate([one, other, np.abs(one - other), one * other], axis=1) @ self._pairs + self._bias


def mean(rows: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    """Over the tokens that are there: ``(batch, length, columns)`` to ``(batch, columns)``; 0 where there are none."""
    count = np.maximum(mask.sum(1, keepdims=True), 1)
    return (np.einsum("blc,bl->bc", rows, mask.astype(np.float32)) / count).astype(np.float32)
