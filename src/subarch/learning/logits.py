"""What a teacher says at masked tokens, kept on disk: its most likely tokens, for later runs on the same samples.

With p the teacher's distribution and q the student's, both at temperature T, and K the teacher's k most likely tokens,
the student learns from sum over K of p log(p / q), plus the same term for all other tokens taken together. That is the
Kullback-Leibler divergence of the distributions over k + 1 outcomes: zero where they agree, at most the divergence over
the whole vocabulary, and equal to it for k = vocabulary.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from subarch.storage import held


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student from the teacher at a temperature: ``(masked,)``, in nats.

    Args:
        student: logits ``(masked, vocabulary)``.
        teacher: likewise.
        temperature: both logits are divided by it.
    """
    ours, theirs = ((logits.float() / temperature).log_softmax(-1) for logits in (student, teacher))
    return (theirs.exp() * (theirs - ours)).sum(-1)


def most_likely(logits: Tensor, count: int, temperature: float) -> tuple[Tensor, Tensor]:
    """The ``count`` most likely tokens and their log-probabilities at a temperature: both ``(masked, count)``."""
    found = (logits / temperature).log_softmax(-1).topk(count, -1)
    return found.indices, found.values


def condensed_divergence(student: Tensor, tokens: Tensor, values: Tensor, temperature: float) -> Tensor:
    """The divergence over the teacher's most likely tokens and the rest: ``(masked,)``, in nats.

    Args:
        student: logits ``(masked, vocabulary)``.
        tokens: the teacher's most likely tokens, ``(masked, k)``.
        values: their log-probabilities for the teacher, likewise.
        temperature: of both.
    """
    ours = (student / temperature).log_softmax(-1).gather(-1, tokens)
    among = (values.exp() * (values - ours)).sum(-1)
    rest, our_rest = _rest(values), _rest(ours)
    return among + rest * (rest.log() - our_rest.log())


def _rest(values: Tensor) -> Tensor:
    """The probability of all other tokens; never so small that its logarithm would be of rounding errors alone."""
    return (1 - values.exp().sum(-1)).clamp_min(1e-6)


class LogitCache:
    """A file with one record a sample; a record that is not there, or not whole, is not known.

    Args:
        path: the file; other teachers, texts, tokenizers, masks or temperatures need another one.
        samples: of the run; a file for fewer grows.
        masked: the largest number of masked tokens in a sample.
        count: k, how many tokens are kept for each.
        vocabulary_size: decides on the size of a token's number.
    """

    def __init__(self, path: Path, *, samples: int, masked: int, count: int, vocabulary_size: int) -> None:
        self._path, self.count = path, count
        token = "u2" if vocabulary_size <= 1 << 16 else "u4"
        # The checksum comes last: what a killed process has left unfinished does not have it.
        self._record = np.dtype(
            [("tokens", token, (masked, count)), ("values", "f2", (masked, count)), ("sum", "u4")], align=False
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with held(path.parent), path.open("ab") as file:
            file.truncate(max(file.tell(), samples * self._record.itemsize))
        self._file = os.open(path, os.O_RDWR)

    def read(self, samples: NDArray[np.int64]) -> NDArray[np.void] | None:
        """Records ``tokens`` and ``values`` of all of these samples, or None unless all are known."""
        size = self._record.itemsize
        raw = [os.pread(self._file, size, int(sample) * size) for sample in samples]
        records = np.frombuffer(b"".join(raw), self._record)
        known = all(_checksum(content[:-4]) == int(record["sum"]) for content, record in zip(raw, records, strict=True))
        return records if known else None

    def write(self, samples: NDArray[np.int64], counts: NDArray[np.int64], tokens: Tensor, values: Tensor) -> None:
        """Keep what the teacher says.

        Args:
            samples: their numbers.
            counts: masked tokens of each.
            tokens: of all of them, one sample after another: ``(masked, k)``.
            values: log-probabilities, likewise.

        Raises:
            OSError: when the disk is full.
        """
        records = np.zeros(len(samples), self._record)
        ends = np.cumsum(counts)
        for record, begin, end in zip(records, ends - counts, ends, strict=True):
            record["tokens"][: end - begin] = tokens[begin:end].cpu().numpy()
            record["values"][: end - begin] = values[begin:end].cpu().numpy()
        for sample, record in zip(samples, records, strict=True):
            content = record.tobytes()[:-4]
            whole = content + np.uint32(_checksum(content)).tobytes()
            if os.pwrite(self._file, whole, int(sample) * len(whole)) != len(whole):
                raise OSError(f"could not write {self._path}: free some room, or turn the cache of logits off")

    def close(self) -> None:
        os.close(self._file)


def _checksum(content: bytes) -> int:
    return zlib.crc32(content) | 1  # never the 0 of a place that nobody has written to


def flat(records: NDArray[np.void], counts: NDArray[np.int64], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and values of the samples' masked tokens, one sample after another: both ``(masked, k)``."""
    here = np.arange(records["tokens"].shape[1]) < counts[:, None]
    tokens = torch.from_numpy(records["tokens"][here].astype(np.int64))
    return tokens.to(device), torch.from_numpy(records["values"][here].astype(np.float32)).to(device)
