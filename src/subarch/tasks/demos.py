"""Two tasks that need no download: their texts come out of installed documentation.

``demo/packages``: which of eight packages does this piece of documentation belong to, names removed? ``demo/docs``:
does this summary line belong to this body, the name of what they document removed? Which texts are taken depends on
nothing but the texts: they are chosen by a hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from subarch.errors import InputError
from subarch.tasks.relatives import normalised
from subarch.text.documentation import STANDARD_LIBRARY, Document
from subarch.text.examples import Example, Split

PACKAGES_TASK = "demo/packages"
DOCS_TASK = "demo/docs"
DEMO_PACKAGES = ("networkx", STANDARD_LIBRARY, "scipy", "sklearn", "sqlalchemy", "sympy", "torch", "transformers")
PIECES_PER_PACKAGE = (300, 2400)  # at least, at most
PIECE_WORDS = (16, 32)
_PIECES_PER_DOCUMENT = 6
OBJECTS_PER_PACKAGE = (150, 600)  # at least, at most; each gives one pair that belongs together and one that does not
SUMMARY_WORDS = (5, 30)
BODY_WORDS = (30, 120)
NEUTRAL_NAME = "NAME"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A built-in task.

    Args:
        label_names: names of the classes.
        examples: makes all examples out of installed documentation.
    """

    label_names: tuple[str, ...]
    examples: Callable[[Sequence[Document]], Split]


# --- demo/packages ----------------------------------------------------------------------------------------------------


def package_examples(documents: Sequence[Document]) -> Split:
    """The same number of pieces of every package, grouped by the object that they document.

    Raises:
        ValueError: when a package is not installed or has too little documentation.
    """
    pieces = {package: list(islice(_pieces_of(package, documents), PIECES_PER_PACKAGE[1])) for package in DEMO_PACKAGES}
    _check_enough(PACKAGES_TASK, pieces, PIECES_PER_PACKAGE[0])
    count = min(map(len, pieces.values()))
    return _numbered(
        Example(first=text, label=DEMO_PACKAGES.index(package), group=name)
        for package, found in pieces.items()
        for text, name in found[:count]
    )


def _check_enough(task: str, found: Mapping[str, Sequence[object]], least: int) -> None:
    poorest = min(found, key=lambda package: len(found[package]))
    if len(found[poorest]) < least:
        raise InputError(
            f"{task}: expected {least} pieces of documentation of {poorest!r}, got {len(found[poorest])}: "
            "is it installed with its sources?"
        )


def _numbered(examples: Iterator[Example]) -> Split:
    return Split(example._replace(id=n) for n, example in enumerate(examples))


def _pieces_of(package: str, documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """Pieces with the name of their object."""
    # Removing names takes longest, so first leave out what is too short for one piece: most docstrings.
    for document in _by_hash(d for d in documents if d.package == package and _num_words(d) >= PIECE_WORDS[0]):
        for text in islice(_pieces(without_names(document.text, document.name), PIECE_WORDS), _PIECES_PER_DOCUMENT):
            yield text, document.name


def _num_words(document: Document) -> int:
    return len(document.text.split())


def _by_hash(documents: Iterator[Document]) -> list[Document]:
    """In an order that depends on nothing but the texts."""
    return sorted(documents, key=lambda d: hashlib.sha256(f"{d.name}\n{d.text}".encode()).digest())


# --- demo/docs --------------------------------------------------------------------------------------------------------


def docs_examples(documents: Sequence[Document]) -> Split:
    """As many summaries with their own body as with that of another object of the same package.

    Objects are taken in twos that swap their summaries. Every text so occurs once in each class, and nothing but the
    relation of the two says which it is; and few examples must stay together, so that splits can be dealt.

    Raises:
        ValueError: when a package is not installed or has too little documentation.
    """
    found = {package: list(islice(_summaries(package, documents), OBJECTS_PER_PACKAGE[1])) for package in DEMO_PACKAGES}
    _check_enough(DOCS_TASK, found, OBJECTS_PER_PACKAGE[0])
    return _numbered(
        Example(first=summary, seconds=(body,), label=int(own == other), group=f"{package} {n}")
        for package, objects in found.items()
        for n, two in enumerate(zip(objects[::2], objects[1::2], strict=False))
        for own, (summary, _) in enumerate(two)
        for other, (_, body) in enumerate(two)
    )


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")


def _summaries(package: str, documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """The first sentence and the rest of what documents an object, without its name, no text twice."""
    seen: set[str] = set()
    least, most = SUMMARY_WORDS
    for document in _by_hash(d for d in documents if d.package == package and _num_words(d) >= least + BODY_WORDS[0]):
        summary, *rest = _SENTENCE_END.split(document.text, maxsplit=1)
        if not (summary[0].isupper() and rest):
            continue
        summary = without_names(summary, document.name)
        body = next(_pieces(without_names(rest[0], document.name), BODY_WORDS), "")
        keys = {normalised(summary), normalised(body)}
        told = len(summary.replace(NEUTRAL_NAME, "").split())  # a summary of nothing but names tells nothing
        if body and least <= told <= most and seen.isdisjoint(keys):
            seen |= keys
            yield summary, body


# --- without names ----------------------------------------------------------------------------------------------------

# fmt: off
_ALIASES = (
    "networkx", "nx", "python", "cpython", "scipy", "sp", "sklearn", "scikit", "scikits", "learn", "sqlalchemy", "sa",
    "alchemy", "orm", "sympy", "sym", "torch", "pytorch", "aten", "transformers", "huggingface", "hugging", "hf",
    "numpy", "np", "tensorflow", "tf", "jax", "pandas", "pd", "matplotlib", "plt",
)
# fmt: on
_NAME_LIKE = re.compile(
    r"""[@$%\\]?\b(?:[A-Za-z]\w*(?:\.\w+)+        # dotted paths
    |\w*_\w*|\w*\d\w*                             # snake_case, numbers
    |[A-Za-z]?[a-z]+[A-Z]\w*|[A-Z]{2,}[a-z]\w*    # camelCase, CamelCase
    |\w+(?=\())(?:\(\))?""",
    re.VERBOSE,
)
_ALIAS = re.compile(r"\b(?:" + "|".join(_ALIASES) + r")\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]\w+")
_REPEATED = re.compile(rf"\b{NEUTRAL_NAME}(?:[\s.,/'-]+{NEUTRAL_NAME}\b)+")


def without_names(text: str, path: str) -> str:
    """The text with everything that names its package or object replaced by a neutral word.

    That is: names of packages and their usual aliases, dotted paths, identifiers (snake_case, camelCase, calls) and the
    words of the documented object's own path, in any case.

    Args:
        text: what documents the object.
        path: the object's dotted path.
    """
    text = _NAME_LIKE.sub(NEUTRAL_NAME, text)
    text = _ALIAS.sub(NEUTRAL_NAME, text)
    own = {part for part in re.split(r"[._]", path.casefold()) if len(part) > 2}
    text = _WORD.sub(lambda word: NEUTRAL_NAME if word[0].casefold() in own else word[0], text)
    return _REPEATED.sub(NEUTRAL_NAME, text)


def _pieces(text: str, words_each: tuple[int, int]) -> Iterator[str]:
    """Consecutive pieces of whole sentences where they fit, between the two lengths in words."""
    least, most = words_each
    words: list[str] = []
    for sentence in re.split(r"(?<=[.:;!?])\s+", text):
        for part in _cut(sentence.split(), most):
            if len(words) + len(part) > most:
                if len(words) >= least:
                    yield " ".join(words)
                words = []
            words += part
    if len(words) >= least:
        yield " ".join(words)


def _cut(words: list[str], most: int) -> Iterator[list[str]]:
    edges = [*range(0, len(words), most), len(words)]
    return (words[start:stop] for start, stop in pairwise(edges))


DEMOS: Mapping[str, Demo] = {
    DOCS_TASK: Demo(label_names=("no", "yes"), examples=docs_examples),
    PACKAGES_TASK: Demo(label_names=DEMO_PACKAGES, examples=package_examples),
}
