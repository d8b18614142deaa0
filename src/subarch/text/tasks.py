"""Classification tasks: labelled texts in three splits that never share a text.

``demo/packages`` needs no download: which of eight packages does this piece of installed documentation belong to,
names removed? A labelled file of the user's is the other source. Splits are stratified, drawn with a seed, and keep
together what belongs together: equal texts always, and pieces of one docstring in the demo.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from subarch.text.documentation import STANDARD_LIBRARY, Document, installed_documentation
from subarch.text.files import read_labelled

DEMO_TASK = "demo/packages"
DEMO_PACKAGES = ("networkx", STANDARD_LIBRARY, "scipy", "sklearn", "sqlalchemy", "sympy", "torch", "transformers")
PIECES_PER_PACKAGE = (300, 1200)  # at least, at most
PIECE_WORDS = (60, 120)
_PIECES_PER_DOCUMENT = 6
NEUTRAL_NAME = "NAME"


@dataclass(frozen=True)
class Split:
    """Texts and their classes, ``labels[i]`` an index into the task's ``label_names``."""

    texts: tuple[str, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Task:
    """A classification task.

    Args:
        name: the task's name or the file's path.
        label_names: names of the classes, sorted.
        train: what a network learns from.
        development: what choices are made on.
        test: touched by nothing but the final score.
        fingerprint: sha256 (hex) of names, texts, labels and splits.
    """

    name: str
    label_names: tuple[str, ...]
    train: Split
    development: Split
    test: Split
    fingerprint: str


def load_task(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    development: float = 0.15,
    test: float = 0.15,
    text_column: str | None = None,
    label_column: str | None = None,
    cache: Path | None = None,
) -> Task:
    """A built-in task or a file of labelled texts, split with a seed.

    Args:
        name_or_path: ``"demo/packages"``, or a CSV, TSV, JSONL or Parquet file with a text and a label column.
        seed: of the splits; the examples themselves do not depend on it.
        development: share of the development split, above 0.
        test: share of the test split, above 0; the two together below 1.
        text_column: of a file whose text column has an unusual name.
        label_column: likewise.
        cache: folder for what is read out of installed documentation; the user's cache folder when not given.

    Raises:
        ValueError: for an unknown name, shares outside the range, an unusable file, or classes too small to split.
        OSError: when the file cannot be read.
    """
    if not (development > 0 and test > 0 and development + test < 1):
        raise ValueError(f"expected shares above 0 that leave something to learn from, got {development} and {test}")
    path = Path(name_or_path)
    if str(name_or_path) == DEMO_TASK:
        texts, labels, groups = _package_pieces(installed_documentation(cache=cache))
    elif path.is_file():
        rows = read_labelled(path, text_column=text_column, label_column=label_column)
        texts, labels, groups = rows.texts, rows.labels, rows.texts
    else:
        raise ValueError(
            f"expected the task {DEMO_TASK!r} or the path of a CSV, TSV, JSONL or Parquet file, got {name_or_path!r}: "
            "there is no such file"
        )
    return _split(str(name_or_path), texts, labels, groups, seed=seed, development=development, test=test)


def _split(
    name: str,
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int,
    development: float,
    test: float,
) -> Task:
    """Three splits, stratified by class; what has the same group or the same normalised text stays together."""
    names = tuple(sorted(set(labels)))
    together = _connected(groups, [_normalised(text) for text in texts])
    by_label: dict[str, list[list[int]]] = defaultdict(list)
    for members in together:
        by_label[labels[members[0]]].append(members)
    chosen: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in names:
        clusters = by_label[label]
        if len(clusters) < 3:
            raise ValueError(
                f"{name}: expected at least three different texts of every class, got {len(clusters)} of {label!r}: "
                "add some, or remove the class"
            )
        random.Random(f"{seed} {label}").shuffle(clusters)
        _deal(clusters, (1 - development - test, development, test), chosen)
    splits = [_pick(texts, [names.index(label) for label in labels], sorted(rows)) for rows in chosen]
    content = json.dumps([names, *([split.texts, split.labels] for split in splits)])
    return Task(name, names, splits[0], splits[1], splits[2], hashlib.sha256(content.encode()).hexdigest())


def _connected(groups: Sequence[str], keys: Sequence[str]) -> list[list[int]]:
    """Rows that must not be parted: linked by an equal group or an equal key, over any number of steps."""
    leader = list(range(len(groups)))

    def root(row: int) -> int:
        while leader[row] != row:
            leader[row] = row = leader[leader[row]]
        return row

    for values in (groups, keys):
        first: dict[str, int] = {}
        for row, value in enumerate(values):
            low, high = sorted((root(row), root(first.setdefault(value, row))))
            leader[high] = low
    members: dict[int, list[int]] = defaultdict(list)
    for row in range(len(groups)):
        members[root(row)].append(row)
    return list(members.values())


def _deal(clusters: list[list[int]], shares: tuple[float, float, float], chosen: tuple[list[int], ...]) -> None:
    """Hand clusters out, each to the split that lacks most of its share; the first three go one to each."""
    total = sum(map(len, clusters))
    dealt = [0, 0, 0]
    for turn, cluster in enumerate(clusters):
        split = turn if turn < 3 else max(range(3), key=lambda s: shares[s] * total - dealt[s])
        chosen[split].extend(cluster)
        dealt[split] += len(cluster)


def _pick(texts: Sequence[str], labels: Sequence[int], rows: Sequence[int]) -> Split:
    return Split(tuple(texts[row] for row in rows), tuple(labels[row] for row in rows))


def _normalised(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


# --- demo/packages ----------------------------------------------------------------------------------------------------


def _package_pieces(documents: Sequence[Document]) -> tuple[list[str], list[str], list[str]]:
    """Texts, packages and documented objects: the same number of pieces of every package.

    Raises:
        ValueError: when a package is not installed or has too little documentation.
    """
    least, most = PIECES_PER_PACKAGE
    pieces = {package: list(islice(_pieces_of(package, documents), most)) for package in DEMO_PACKAGES}
    poorest = min(pieces, key=lambda package: len(pieces[package]))
    if len(pieces[poorest]) < least:
        raise ValueError(
            f"{DEMO_TASK}: expected {least} pieces of documentation of {poorest!r}, got {len(pieces[poorest])}: "
            "is it installed with its sources?"
        )
    count = len(pieces[poorest])
    rows = [(text, package, name) for package, found in pieces.items() for text, name in found[:count]]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _pieces_of(package: str, documents: Sequence[Document]) -> Iterator[tuple[str, str]]:
    """Pieces with the name of their object, sorted by a hash: an order that depends on nothing but the texts."""
    # Removing names takes longest, so first leave out what is too short for one piece: most docstrings.
    long_enough = [d for d in documents if d.package == package and len(d.text.split()) >= PIECE_WORDS[0]]
    for document in sorted(long_enough, key=lambda d: hashlib.sha256(f"{d.name}\n{d.text}".encode()).digest()):
        for text in islice(_pieces(without_names(document)), _PIECES_PER_DOCUMENT):
            yield text, document.name


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


def without_names(document: Document) -> str:
    """The text with everything that names its package or object replaced by a neutral word.

    That is: names of packages and their usual aliases, dotted paths, identifiers (snake_case, camelCase, calls) and the
    words of the documented object's own path, in any case.
    """
    text = _NAME_LIKE.sub(NEUTRAL_NAME, document.text)
    text = _ALIAS.sub(NEUTRAL_NAME, text)
    own = {part for part in re.split(r"[._]", document.name.casefold()) if len(part) > 2}
    text = _WORD.sub(lambda word: NEUTRAL_NAME if word[0].casefold() in own else word[0], text)
    return _REPEATED.sub(NEUTRAL_NAME, text)


def _pieces(text: str) -> Iterator[str]:
    """Consecutive pieces of whole sentences where they fit, between the two lengths in words."""
    least, most = PIECE_WORDS
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
