"""Metrics as the benchmarks define them, from examples and what was predicted for them.

Every value is a fraction in [0, 1], correlations lie in [-1, 1]; whoever shows them multiplies by 100. What has no
value (a correlation with a constant, F1 without a positive) is 0. Examples come whole, because some metrics need more
than labels: MultiRC scores the answers of a question together, ReCoRD compares words, Winogender pairs of sentences.
"""

from __future__ import annotations

import logging
import math
import re
import string
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.results.classes import ByClass, ClassScore
from subarch.tasks.tags import counts
from subarch.text.examples import Example, Label

_LOG = logging.getLogger(__name__)

Outputs = Sequence[NDArray[np.floating]]
Predicted = Sequence[Label]
Metric = Callable[[Sequence[Example], Predicted], float]


Held = Sequence[Sequence[int]]
"""Of each example the indices of the labels that it has, or is said to have: of a class one alone."""


def class_scores(names: Sequence[str], labels: Held, said: Held) -> tuple[ClassScore, ...]:
    """Each class by itself, in their order: what accuracy does not show of a rare one.

    Args:
        names: of the classes.
        labels: of each example.
        said: of each example.
    """
    there, answered = Counter(chain.from_iterable(labels)), Counter(chain.from_iterable(said))
    right = Counter(chain.from_iterable(set(one) & set(other) for one, other in zip(labels, said, strict=True)))
    return tuple(ClassScore(name, there[n], answered[n], right[n]) for n, name in enumerate(names))


def by_class(found: Sequence[ClassScore]) -> dict[str, float]:
    """Measures in which every class that has examples counts alike: balanced accuracy and macro F1."""
    there = [one for one in found if one.examples]
    f1 = [one.f1 for one in there]
    recalls = [one.right / one.examples for one in there]
    return {"balanced_accuracy": sum(recalls) / len(there), "macro_f1": sum(f1) / len(there)}


def told_by_class(
    names: Sequence[str],
    labels: Held,
    said: Held,
    measures: Callable[[Sequence[ClassScore]], dict[str, float]] = by_class,
    *,
    whose: str = "",
) -> ByClass:
    """Each class, and measures of all of them.

    A class of which no example is answered rightly is said aloud: accuracy is silent about a rare one.

    Args:
        names: of the classes.
        labels: of each example.
        said: of each example.
        measures: :func:`by_class`, or others.
        whose: answers these are, for the warning.
    """
    found = class_scores(names, labels, said)
    if (missed := missed_in_words(found)) is not None:
        _LOG.warning("%sno example of %s", f"{whose}: " if whose else "", f"{missed} is answered rightly")
    return ByClass(classes=found, by_class=measures(found))


def missed_in_words(found: Sequence[ClassScore], shown: int = 10) -> str | None:
    """Which classes are never answered rightly, with their counts, in words; None where there are none."""
    missed = sorted((one for one in found if one.is_missed), key=lambda one: -one.examples)
    if not missed:
        return None
    told = ", ".join(f"{one.name!r} (0 of {one.examples}, {_often(one.answered)})" for one in missed[:shown])
    return told + (f" and of {len(missed) - shown} more classes" if len(missed) > shown else "")


def _often(times: int) -> str:
    return "never answered" if not times else f"answered {times} times, all of them wrong"


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean over seeds and half the width of its 95 % confidence interval (Student's t).

    Returns:
        Mean and half-width; None for the latter where a single value says nothing about the spread.

    Raises:
        ValueError: without a value.
    """
    if not values:
        raise InputError("expected at least one value, got none")
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    from scipy.stats import t

    quantile = float(t.ppf(0.975, len(values) - 1))
    return mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))


# --- classes, candidates and numbers ----------------------------------------------------------------------------------


def _labels(examples: Sequence[Example]) -> list[int | float]:
    return cast("list[int | float]", [example.label for example in examples if example.label is not None])


def accuracy(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of the examples that are answered rightly; of several right candidates any one counts."""
    pairs = zip(examples, predicted, strict=True)
    return sum(guess == example.label or guess in example.right for example, guess in pairs) / len(examples)


def f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """F1 of class 1: the harmonic mean of precision and recall."""
    return _mean_f1(examples, predicted, [1])


def macro_f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """Mean of the F1 of every class that occurs among the labels."""
    return _mean_f1(examples, predicted, sorted(set(_labels(examples))))


def _mean_f1(examples: Sequence[Example], predicted: Predicted, classes: Sequence[Label]) -> float:
    from sklearn.metrics import f1_score

    zero = cast("Any", 0)  # the library's annotation knows of strings alone
    return float(f1_score(_labels(examples), predicted, labels=classes, average="macro", zero_division=zero))


def matthews(examples: Sequence[Example], predicted: Predicted) -> float:
    """Matthews' correlation coefficient; 0 where the labels or the predictions are all the same."""
    from sklearn.metrics import matthews_corrcoef

    labels = _labels(examples)
    return 0.0 if _constant(labels) or _constant(predicted) else float(matthews_corrcoef(labels, predicted))


def pearson(examples: Sequence[Example], predicted: Predicted) -> float:
    """Pearson's correlation of numbers; 0 where the labels or the predictions are all the same."""
    from scipy.stats import pearsonr

    return _correlation(pearsonr, examples, predicted)


def spearman(examples: Sequence[Example], predicted: Predicted) -> float:
    """Spearman's rank correlation of numbers; 0 where the labels or the predictions are all the same."""
    from scipy.stats import spearmanr

    return _correlation(spearmanr, examples, predicted)


def _correlation(
    function: Callable[[Predicted, Predicted], tuple[float, float]], examples: Sequence[Example], predicted: Predicted
) -> float:
    labels = _labels(examples)
    if _constant(labels) or _constant(predicted):
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers that differ in the last bit only
        value = float(function(labels, predicted)[0])
    return value if math.isfinite(value) else 0.0


def _constant(values: Predicted) -> bool:
    return len(set(values)) < 2


# --- several labels ---------------------------------------------------------------------------------------------------


def label_sets(examples: Sequence[Example]) -> Held:
    """The labels of examples that may have several."""
    return [cast("tuple[int, ...]", example.label) for example in examples]


def micro_f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """F1 of all labels of all examples together: the harmonic mean of precision and recall."""
    labels, said = label_sets(examples), cast("Held", predicted)
    right = sum(n in other for one, other in zip(labels, said, strict=True) for n in one)
    all_of_them = sum(map(len, labels)) + sum(map(len, said))
    return 2 * right / all_of_them if all_of_them else 0.0


def mean_f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """Mean of the F1 of every label that some example has."""
    labels, said = label_sets(examples), cast("Held", predicted)
    count = 1 + max((n for one in labels for n in one), default=-1)
    there = [one for one in class_scores(["?"] * count, labels, said) if one.examples]
    return sum(one.f1 for one in there) / len(there) if there else 0.0


def same_sets(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of the examples of which all labels are right, and none is missed; having none counts as well."""
    return sum(example.label == guess for example, guess in zip(examples, predicted, strict=True)) / len(examples)


# --- examples that are scored together --------------------------------------------------------------------------------


def exact_match(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of MultiRC's questions all of whose answers are judged rightly."""
    questions = [all(guess == label for guess, label in answers) for answers in _groups(examples, predicted)]
    return sum(questions) / len(questions)


def gender_parity(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of Winogender's pairs, sentences that differ in a pronoun's gender alone, with two equal predictions."""
    pairs = [group for group in _groups(examples, predicted) if len(group) > 1]
    return sum(len({guess for guess, _ in pair}) == 1 for pair in pairs) / len(pairs) if pairs else 0.0


def _groups(examples: Sequence[Example], predicted: Predicted) -> Iterator[list[tuple[Label, Label | None]]]:
    """Prediction and label of every example, group by group."""
    found: dict[str, list[tuple[Label, Label | None]]] = defaultdict(list)
    for row, (example, guess) in enumerate(zip(examples, predicted, strict=True)):
        if example.group is None:
            raise InputError(f"expected examples in groups that are scored together, got none for example {row}")
        found[example.group].append((guess, example.label))
    yield from found.values()


# --- words ------------------------------------------------------------------------------------------------------------


def record_em(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of the queries of ReCoRD whose best candidate is one of the right answers, word by word."""
    return _best_match(lambda guess, gold: float(guess == gold), examples, predicted)


def record_f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """Mean over the queries of ReCoRD of the best token F1 of the chosen candidate with a right answer."""
    return _best_match(_token_f1, examples, predicted)


def _best_match(
    closeness: Callable[[list[str], list[str]], float], examples: Sequence[Example], predicted: Predicted
) -> float:
    """Mean over ReCoRD's queries of the chosen entity's closeness to the closest of the right ones."""
    total = 0.0
    for row, (example, guess) in enumerate(zip(examples, predicted, strict=True)):
        if example.answers is None:
            raise InputError(f"expected the candidates' names and the right ones, got none for example {row}")
        names, right = example.answers
        words = _words(names[cast("int", guess)])
        total += max((closeness(words, _words(gold)) for gold in right), default=0.0)
    return total / len(examples)


def _words(text: str) -> list[str]:
    """Words as ReCoRD compares them: lower case, without punctuation (first) and articles (second)."""
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def _token_f1(guess: list[str], gold: list[str]) -> float:
    common = (Counter(guess) & Counter(gold)).total()
    return 2 * common / (len(guess) + len(gold)) if common else 0.0


# --- tags of words ----------------------------------------------------------------------------------------------------


def entity_counts(examples: Sequence[Example], predicted: Predicted) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Entities that there are, that are said, and that are both: type and both ends must be right.

    Args:
        examples: with a tag a word, and the names of all tags.
        predicted: for each example the index of each word's tag; -1 where nothing is said.
    """
    true, said, right = Counter[str](), Counter[str](), Counter[str]()
    for example, guess in zip(examples, predicted, strict=True):
        assert example.answers is not None, "examples with tags have their names"
        found = counts(example.answers[0], cast("tuple[int, ...]", example.label), cast("tuple[int, ...]", guess))
        true.update(found.true)
        said.update(found.said)
        right.update(found.right)
    return true, said, right


def entity_f1(examples: Sequence[Example], predicted: Predicted) -> float:
    """F1 of entities, all types together, as seqeval counts; 0 where there are none."""
    true, said, right = (found.total() for found in entity_counts(examples, predicted))
    return 2 * right / (true + said) if true + said else 0.0


def token_accuracy(examples: Sequence[Example], predicted: Predicted) -> float:
    """Share of the words with the right tag."""
    pairs = zip(_labels(examples), predicted, strict=True)
    alike = [one == other for label, guess in pairs for one, other in zip(_each(label), _each(guess), strict=True)]
    return sum(alike) / len(alike) if alike else 0.0


def _each(label: Label) -> tuple[int, ...]:
    return cast("tuple[int, ...]", label)
