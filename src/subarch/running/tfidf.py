"""TF-IDF of words and characters with a linear model: texts in, scores out, with numpy alone.

A text becomes two vectors: of its words and pairs of words, and of the pieces of two to five characters within its
words. Each entry is ``(1 + log count) * idf``, each vector has unit length, as scikit-learn's ``TfidfVectorizer`` makes
them with ``sublinear_tf``. Of a pair of texts each has weights of its own, and how alike the two are (the cosines of
their vectors) has two more.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.running.base import TextProgram
from subarch.text.examples import Example

WORD = re.compile(r"\b\w+\b")
_BLANKS = re.compile(r"\s\s+")
LONGEST_WORDS = 2
SHORTEST, LONGEST = 2, 5  # characters of a piece

Vector = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Places of a sparse vector, and its values there."""


def words(text: str) -> list[str]:
    """Words in lower case, and neighbours among them in pairs."""
    single = WORD.findall(text.lower())
    return [*single, *(f"{one} {other}" for one, other in itertools.pairwise(single))]


def pieces(text: str) -> list[str]:
    """All runs of two to five characters within a word and the blanks around it, in lower case."""
    found: list[str] = []
    for word in _BLANKS.sub(" ", text.lower()).split():
        padded = f" {word} "
        for size in range(SHORTEST, LONGEST + 1):
            if size >= len(padded):  # a short word is counted once, whole
                found.append(padded)
                break
            found += [padded[start : start + size] for start in range(len(padded) - size + 1)]
    return found


@dataclass(frozen=True)
class Terms:
    """Terms of one kind, and what each is worth.

    Attributes:
        terms: to their places.
        idf: of each: ``(terms,)``.
    """

    terms: Mapping[str, int]
    idf: NDArray[np.float64]

    def vector(self, found: Sequence[str]) -> Vector:
        """Of the terms of a text, with unit length; nothing of a text without a known term."""
        counts = Counter(self.terms[one] for one in found if one in self.terms)
        places = np.fromiter(sorted(counts), np.int64, len(counts))
        values = np.array([1 + np.log(counts[int(place)]) for place in places]) * self.idf[places]
        length = float(np.sqrt(values @ values))
        return places, values / length if length else values


@dataclass(frozen=True)
class LinearModel:
    """Scores of such vectors.

    Attributes:
        vocabularies: of words, and of pieces.
        weights: for each text of an example, words before pieces: ``(texts, terms, outputs)``.
        likeness: of the two cosines of a pair: ``(2, outputs)``.
        bias: ``(outputs,)``.
    """

    vocabularies: tuple[Terms, Terms]
    weights: NDArray[np.float32]
    likeness: NDArray[np.float32]
    bias: NDArray[np.float32]


class TfidfProgram(TextProgram):
    """Such a model, which answers texts.

    Args:
        model: its numbers.

    Raises:
        ValueError: for numbers that do not go together.
    """

    FILES: ClassVar[tuple[str, ...]] = ("tfidf.json", "tfidf.npz")

    def __init__(self, model: LinearModel) -> None:
        counted = [len(one.terms) for one in model.vocabularies]
        outputs = model.bias.shape[0]
        fitting = [len(one.idf) for one in model.vocabularies] == counted
        if not fitting or model.weights.shape[1:] != (sum(counted), outputs) or model.likeness.shape != (2, outputs):
            raise InputError(f"expected weights of {sum(counted)} terms and {outputs} outputs, got others")
        self._model = model

    @classmethod
    def opened(cls, folder: Path) -> TfidfProgram:
        """As :meth:`write` left it."""
        said: Any = json.loads((folder / cls.FILES[0]).read_text(encoding="utf-8"))
        with np.load(folder / cls.FILES[1], allow_pickle=False) as arrays:
            vocabularies = [
                Terms({str(one): n for n, one in enumerate(said[name])}, arrays[f"{name}_idf"])
                for name in ("words", "pieces")
            ]
            one, other = vocabularies
            return cls(LinearModel((one, other), arrays["weights"], arrays["likeness"], arrays["bias"]))

    def write(self, folder: Path) -> None:
        """Its files, into a folder."""
        model = self._model
        one, other = model.vocabularies
        terms = {"words": list(one.terms), "pieces": list(other.terms)}
        (folder / self.FILES[0]).write_text(json.dumps(terms), encoding="utf-8")
        np.savez(
            folder / self.FILES[1],
            words_idf=one.idf,
            pieces_idf=other.idf,
            weights=model.weights,
            likeness=model.likeness,
            bias=model.bias,
        )

    def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
        found = [self._scores(example) for example in examples]
        return np.stack(found) if found else np.empty((0, len(self._model.bias)), np.float32)

    def _scores(self, example: Example) -> NDArray[np.float32]:
        model = self._model
        if len(example.texts) != len(model.weights):
            raise InputError(f"expected examples of {len(model.weights)} text(s), got {len(example.texts)}")
        found = model.bias.astype(np.float64)
        vectors = [list(self._vectors(text)) for text in example.texts]
        first = len(model.vocabularies[0].terms)
        for weights, (told, spelt) in zip(model.weights, vectors, strict=True):
            found += told[1] @ weights[told[0]] + spelt[1] @ weights[first + spelt[0]]
        if len(vectors) == 2:
            cosines = np.array([cosine(one, other) for one, other in zip(*vectors, strict=True)])
            found += cosines @ model.likeness
        return found.astype(np.float32)

    def _vectors(self, text: str) -> Iterator[Vector]:
        one, other = self._model.vocabularies
        yield one.vector(words(text))
        yield other.vector(pieces(text))


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors of unit length."""
    _, mine, theirs = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    return float(one[1][mine] @ other[1][theirs])
