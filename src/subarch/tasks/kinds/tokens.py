"""A tag for each word: entities, parts of speech.

An example is a text and where its words are. A word is answered at the first token of it, as is usual; what a network
says of an example is ``(places, outputs)``, and a label row ``(words, outputs)``. Of a text without words every token
is answered.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.base import Json
from subarch.results.classes import ByClass, ClassScore
from subarch.tasks.kinds.base import Kind, Thresholds, named
from subarch.tasks.kinds.rows import AS_THEY_ARE, Ability, Rows, Units
from subarch.tasks.labels import Labels
from subarch.tasks.metrics import Metric, Outputs, Predicted, entity_counts, entity_f1, missed_in_words, token_accuracy
from subarch.tasks.tags import (
    OUTSIDE,
    all_tags,
    at_words,
    entities,
    neighbours_of_one_type,
    read_tag,
    scheme_of,
    types_of,
)
from subarch.text.examples import Example, Label, nameless, places

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)
_BAR = 1 / 3  # of the words that are not of the commonest tag, how many a teacher must get right


class Tagging(Kind):
    """One of several tags for each word."""

    __slots__ = ()

    words: ClassVar[str] = "a tag for each word"
    head: ClassVar[str] = "tokens"
    pipeline: ClassVar[str] = "token-classification"
    has_words: ClassVar[bool] = True
    has_labels: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, Metric]] = {"entity_f1": entity_f1, "token_accuracy": token_accuracy}
    usual_metrics: ClassVar[tuple[str, ...]] = ("entity_f1",)
    table_metrics: ClassVar[tuple[str, ...]] = ("entity_f1", "token_accuracy")
    how_far: ClassVar[str] = (
        "distance to the source: mean Jensen-Shannon divergence of its tag distributions at the first tokens of words, "
        "in bits: 0 = the same, 1 = nothing in common"
    )

    # --- labels ---

    def parse(
        self, labels: Labels, classes: Sequence[str], declared: Sequence[str]
    ) -> tuple[tuple[str, ...], Sequence[Label]]:
        """All tags of the table's scheme, outside first; labels are the tags' indices, a word each.

        Args:
            labels: of each sentence its tags, with blanks between.
            classes: names that tags must be of; any, when empty.
            declared: names in the order that the table itself gives them.
        """
        sentences = [(name or "").split() for name in labels.names]
        there = Counter(tag for tags in sentences for tag in tags)
        numbers = bool(there) and all(tag.isdecimal() for tag in there)
        known = tuple(classes) or tuple(declared)
        if numbers and known:
            _LOG.warning("%s: tags are numbers, which are taken for places among %s", labels.path, _listed(known))
            index = {str(n): n for n in range(len(known))}
        elif known:
            index = {name: n for n, name in enumerate(known)}
        else:
            if numbers:
                _LOG.warning(
                    "%s: tags are numbers without names: neighbours of one number are taken for one entity, and none "
                    "for what is outside; give their names (a column of names, or Parquet with the features of "
                    "datasets)",
                    labels.path,
                )
            known = self._told_scheme(labels, sentences, there)
            index = {name: n for n, name in enumerate(known)}
        for row, tags in zip(labels.rows, sentences, strict=True):
            if unknown := [tag for tag in tags if tag not in index]:
                raise InputError(
                    f"{labels.path}, row {row}: expected tags in column {labels.column!r} that are known "
                    f"({_listed(list(index))}), got {unknown[0]!r}: write one of these instead of it, or leave the "
                    "sentence out"
                )
        return known, [tuple(index[tag] for tag in tags) for tags in sentences]

    def _told_scheme(self, labels: Labels, sentences: Sequence[Sequence[str]], there: Counter[str]) -> tuple[str, ...]:
        """The tags of a table that nobody has named, with what is told of its scheme.

        Raises:
            ValueError: for a single tag, and for tags that hardly occur twice.
        """
        if len(there) < 2:
            raise InputError(
                f"{labels.path}: expected at least two tags in column {labels.column!r}, got only "
                f"{_listed(list(there))} for all words: name the right column (--label-column)"
            )
        if len(there) > 50 and 2 * len(there) > there.total():
            raise InputError(
                f"{labels.path}: expected a few tags with several words each in column {labels.column!r}, got "
                f"{len(there)} different ones for {there.total()} words: name the right column (--label-column)"
            )
        scheme = scheme_of(sentences)
        found = all_tags(scheme, there)
        types = len({*types_of(found)} - {""})
        _LOG.warning(
            "%s: tags in column %r are read as %s, %d entity types", labels.path, labels.column, scheme.name, types
        )
        if scheme.first is not None:
            row, at, tag = scheme.first
            _LOG.warning(
                "%s, row %d: %d of %d tags break that scheme, the first is %r at word %d: entities are counted as "
                "seqeval counts them",
                labels.path,
                labels.rows[row],
                scheme.broken,
                there.total(),
                tag,
                at + 1,
            )
        return found

    def strata(self, examples: Sequence[Example], names: Sequence[str]) -> list[str]:
        """The rarest entity type of each sentence: every split gets its share of sentences with it."""
        kinds = types_of(names)
        each = [{kinds[n] for n in _tags(example)} - {""} for example in examples]
        often = Counter(kind for found in each for kind in found)
        return [min(found, key=lambda kind: (often[kind], kind)) if found else "none" for found in each]

    def drawn_by(self, examples: Sequence[Example]) -> Sequence[Hashable]:
        """The rarest entity type of each."""
        names = next((one.answers[0] for one in examples if one.answers is not None), ())
        return self.strata(examples, names)

    def labels_in(self, label: Label) -> tuple[int, ...]:
        """The tags of all words; -1 where nothing is said."""
        return label if isinstance(label, tuple) else (int(label),)

    def places(self, task: str, names: Sequence[str], *, of: Kind, among: Sequence[str]) -> list[int] | None:
        """As :func:`subarch.text.examples.places`; a task may have fewer tags than the model, which is said."""
        super().places(task, names, of=of, among=among)
        if (found := places(names, among)) is not None:
            return found
        if set(names) < set(among):
            others = sorted(set(among) - set(names))
            _LOG.warning("%s has no %s, which the model knows: these are never answered", task, _listed(others))
            return [list(among).index(name) for name in names]
        raise InputError(
            f"{task} has the tags {_listed(names)}, the model {_listed(among)}: take the task it was fine-tuned on; "
            "or, where these are the same tags, write the model's names instead of them"
        )

    def is_nameless(self, names: Sequence[str]) -> bool:
        """Whether these are the names that the stock library gives where nobody did."""
        return nameless(names)

    def groups(self, names: Sequence[str]) -> tuple[str, ...]:
        """Entity types."""
        return tuple(kind or OUTSIDE for kind in types_of(names))

    # --- networks ---

    def stock_class(self) -> Any:
        """A linear map at every token."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification

    def settings(self, names: Sequence[str]) -> Json:
        """An output a tag."""
        return named(names)

    def loss(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """Cross-entropy at the first tokens of words: the mean of a sentence's, and of these the mean."""
        from torch.nn import functional

        del units
        found, read = at_words(logits, batch)
        labels = batch["labels"].masked_fill(~read, -1)
        each = functional.cross_entropy(found.transpose(1, 2), labels, ignore_index=-1, reduction="none")
        return (each.sum(1) / read.sum(1).clamp_min(1)).mean()

    def loss_of_rows(self, logits: Tensor, batch: Mapping[str, Tensor], units: Units) -> Tensor:
        """The same with shares of tags: ``labels`` is ``(examples, words, tags)``."""
        del units
        found, read = at_words(logits, batch)
        most = min(found.shape[1], batch["labels"].shape[1])
        found, read, labels = found[:, :most], read[:, :most], batch["labels"][:, :most]
        each = -(labels * found.log_softmax(-1)).sum(-1) * read
        return (each.sum(1) / read.sum(1).clamp_min(1)).mean()

    def divergence(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Kullback-Leibler divergence at each word: it has no upper end, so it drives."""
        from subarch.tasks.divergences import kullback_leibler

        return kullback_leibler(teacher, student)

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Jensen-Shannon divergence at each word."""
        from subarch.tasks.divergences import jensen_shannon

        return jensen_shannon(teacher, student)

    def loss_of(self, output: NDArray[np.float64], example: Example, units: Units) -> float:
        """Mean cross-entropy of the words that are read."""
        del units
        read, tags = _read(output), np.array(_tags(example), dtype=np.int64)
        each = np.logaddexp.reduce(output[read], axis=1) - output[read, tags[read]]
        return float(each.mean()) if len(each) else 0.0

    # --- answers ---

    def _decided(self, outputs: Outputs) -> list[Label]:
        return [tuple(np.where(_read(one), one.argmax(-1), -1).tolist()) for one in outputs]

    def answer(self, output: NDArray[np.floating] | None, names: Sequence[str], thresholds: Thresholds = ()) -> Json:
        """Entities by their places."""
        del thresholds
        if output is None:
            return {"entities": None}
        return self.answer_in(Example(""), np.stack([np.arange(len(output))] * 2, 1), output, names)

    def answer_in(
        self,
        example: Example,
        spans: NDArray[np.int64],
        output: NDArray[np.floating],
        names: Sequence[str],
        thresholds: Thresholds = (),
    ) -> Json:
        """Entities as the stock pipeline groups them by ``aggregation_strategy="simple"``: type, mean score, and where
        each begins and ends in the text; ``word`` is the text there, as it stands. Of a text whose words were given
        also the tag of each."""
        del thresholds
        shares = _softmax(output)
        best = shares.argmax(-1) if len(shares) else np.empty(0, np.int64)
        tags = [names[n] if said else OUTSIDE for n, said in zip(best.tolist(), _read(output), strict=True)]
        scores = shares.max(-1, initial=0.0)
        found: list[Json] = []
        for first, last in neighbours_of_one_type(tags):
            group = tags[first].split("-", 1)[-1]
            if group == OUTSIDE:
                continue
            start, end = int(spans[first, 0]), int(spans[last, 1])
            entity: Json = {
                "entity_group": group,
                "score": float(scores[first : last + 1].mean()),
                "word": example.first[start:end],
                "start": start,
                "end": end,
            }
            found.append(entity)
        return {"entities": found} if example.words is None else {"entities": found, "tags": tags}

    def columns(self, names: Sequence[str]) -> list[str]:
        """Entities and tags, each as JSON."""
        del names
        return ["entities", "tags"]

    def cells(self, answer: Json) -> Json:
        """As JSON."""
        return {name: json.dumps(value, ensure_ascii=False) for name, value in answer.items() if value is not None}

    def told(
        self, names: Sequence[str], examples: Sequence[Example], predicted: Predicted, *, whose: str = ""
    ) -> ByClass:
        """Each entity type by itself, and how many words have the right tag."""
        true, said, right = entity_counts(examples, predicted)
        kinds = dict.fromkeys(kind for kind in types_of(names) if kind)
        found = tuple(ClassScore(kind, true[kind], said[kind], right[kind]) for kind in kinds)
        if (missed := missed_in_words(found)) is not None:
            _LOG.warning("%sno entity of type %s is found", f"{whose}: " if whose else "", missed)
        f1 = [one.f1 for one in found if one.examples]
        by_class = {"token_accuracy": token_accuracy(examples, predicted)}
        return ByClass(classes=found, by_class=({"macro_f1": sum(f1) / len(f1)} if f1 else {}) | by_class)

    # --- Agora ---

    def width(self, names: Sequence[str], examples: Sequence[Example]) -> int:
        """The most words that an example has."""
        del names
        return max((len(example.words or ()) for example in examples), default=1)

    def rows(self, examples: Sequence[Example], width: int) -> Rows:
        """One-hot for each word, zeros behind the last: ``(examples, width, tags)``."""
        names = next((one.answers[0] for one in examples if one.answers is not None), ())
        table = np.zeros((len(examples), width, len(names)))
        for row, example in zip(table, examples, strict=True):
            tags = np.array(_tags(example), dtype=np.int64)
            there = np.flatnonzero(tags >= 0)
            row[there, tags[there]] = 1
        return table

    def rows_said(self, outputs: Outputs, width: int, units: Units = AS_THEY_ARE) -> Rows:
        """Softmax for each word; zeros for words that are not read, and behind the last. Words beyond ``width`` are
        left out: nobody learns them."""
        del units
        table = np.zeros((len(outputs), width, outputs[0].shape[-1] if len(outputs) else 0))
        for row, one in zip(table, outputs, strict=True):
            some = one[:width].astype(np.float64)
            row[: len(some)] = _softmax(some) * _read(some)[:, None]
        return table

    def sure(self, rows: Rows) -> NDArray[np.float64]:
        """The mean share of the likeliest tag, over the words that are read."""
        read = rows.sum(-1) > 0
        return (rows.max(-1) * read).sum(-1) / np.maximum(read.sum(-1), 1)

    def hard(self, rows: Rows) -> Rows:
        """One-hot for each word that is read."""
        return (np.arange(rows.shape[-1]) == rows.argmax(-1)[..., None]) * (rows.sum(-1, keepdims=True) > 0) * 1.0

    def outputs_of(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithms of the shares; zeros for words that are not read."""
        return np.log(np.maximum(row, 1e-12)) * (row.sum(-1, keepdims=True) > 0)

    def agreement(self, labels: Rows, said: Rows) -> float:
        """Share of the words with the right tag."""
        there = labels.sum(-1) > 0
        return float(np.mean((labels.argmax(-1) == said.argmax(-1))[there]))

    def score_rows(self, metrics: Sequence[str], labels: Rows, said: Rows, names: Sequence[str] = ()) -> float:
        """The score of answers, both as rows."""
        right, guessed = (self._decided(list(one)) for one in (labels, said))
        told = (tuple(names), ())
        return self.score(metrics, [Example("", label=tags, answers=told) for tags in right], guessed)["score"]

    def wrong(self, labels: Rows, said: Rows, tolerance: float | None) -> NDArray[np.bool_]:
        """Any word that was read has another tag: an entity is missed, wrong, or none."""
        del tolerance
        read = (labels.sum(-1) > 0) & (said.sum(-1) > 0)
        return ((labels.argmax(-1) != said.argmax(-1)) & read).any(-1)

    def check_learnable(self, what: str, labels: Rows) -> None:
        """Refuse a single tag."""
        if int((labels.sum((0, 1)) > 0).sum()) < 2:
            raise InputError(f"expected at least two tags among the {what} examples, got one")

    def ability(self, labels: Rows, said: Rows, *, override: bool = False) -> Ability:
        """How many of the words that are not of the commonest tag get theirs: whoever says nothing gets none."""
        del override
        often = labels.sum((0, 1))
        right, rare = labels.argmax(-1), labels.sum(-1) > 0
        rare &= right != int(often.argmax())
        value = float(np.mean((said.argmax(-1) == right)[rare])) if rare.any() else self.agreement(labels, said)
        return Ability("share of the words of all tags but the commonest that are tagged rightly", value, _BAR)

    def in_words(self, row: NDArray[np.float64], names: Sequence[str], example: Example) -> str:
        """The entities."""
        best: list[int] = row[row.sum(-1) > 0].argmax(-1).tolist()
        tags = [read_tag(names[n]) for n in best]
        spans = (example.words or ())[: len(tags)]
        found = [
            f"{one.type}: {example.first[spans[one.start][0] : spans[one.end - 1][1]]}"
            for one in entities(tags)
            if one.end <= len(spans)
        ]
        return "; ".join(found) or "no entity"

    def counts(self, rows: Rows, names: Sequence[str]) -> dict[str, int]:
        """Examples in which each entity type occurs."""
        kinds = np.array(types_of(names))
        read: NDArray[np.bool_] = rows.sum(-1) > 0
        there = (read[..., None] & (np.arange(len(names)) == rows.argmax(-1)[..., None])).any(1)  # (examples, tags)
        return {kind: int(there[:, kinds == kind].any(1).sum()) for kind in dict.fromkeys(kinds.tolist()) if kind}


def _tags(example: Example) -> tuple[int, ...]:
    return cast("tuple[int, ...]", example.label)


def _read(output: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which places anything is said of: ``(places,)``."""
    return np.asarray((output != 0).any(-1))


def _softmax(output: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of each place, computed as the stock pipeline does."""
    powers = np.exp(output - output.max(-1, keepdims=True, initial=-np.inf)) if output.size else output
    return powers / powers.sum(-1, keepdims=True) if output.size else output


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, list(names)[:12])) + (", ..." if len(names) > 12 else "")
