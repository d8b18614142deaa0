"""How choices, marked words, entities and nested answers become examples.

A cast turns one flat row into an example without its label; what a label means is the same for all tasks and is read
elsewhere. Three official formats nest several rows in one record; :func:`unfold_passage` and its like take them apart
into the rows that the hub's files have.

Multiple choice for COPA and RACE, marked words for WiC and WSC, scored entities for ReCoRD, grouped answers for
MultiRC: these are the castings that do best with encoders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

from subarch.errors import InputError
from subarch.text.examples import Example

Values = Mapping[str, object]
Cast = Callable[[Values], Example]
Unfold = Callable[[Values], Iterable[Values]]

T = TypeVar("T")


def as_it_is(row: Values) -> Iterator[Values]:
    """The row itself, where a record holds one."""
    yield row


def plain(*columns: str) -> Cast:
    """The text columns as they are."""

    def encode(row: Values) -> Example:
        first, *seconds = (text_of(row, column) for column in columns)
        return Example(first, tuple(seconds))

    return encode


def text_of(row: Values, column: str) -> str:
    """The text in a column.

    Raises:
        ValueError: when there is none.
    """
    return _typed(row, column, str, "a text")


def number_of(row: Values, column: str) -> int:
    """The whole number in a column, which some official files keep as text.

    Raises:
        ValueError: when there is none.
    """
    value = row.get(column)
    if isinstance(value, str) and re.fullmatch(r"\d+", value):
        return int(value)
    return _typed(row, column, int, "a whole number")


def _typed(row: Values, column: str, kind: type[T], expected: str) -> T:
    value = row.get(column)
    if not isinstance(value, kind):
        got = f"{value!r:.60}" if column in row else f"only {list(row)[:12]}"
        raise InputError(f"expected {expected} in column {column!r}, got {got}")
    return value


def _rows(row: Values, column: str) -> list[Values]:
    values = cast("list[object]", _typed(row, column, list, "a list"))
    if not all(isinstance(value, dict) for value in values):
        raise InputError(f"expected a list of objects in column {column!r}, got {values!r:.60}")
    return cast("list[Values]", values)


def _record(row: Values, column: str) -> Values:
    return cast("Values", _typed(row, column, dict, "an object"))


def _texts(row: Values, column: str) -> list[str]:
    values = cast("list[object]", _typed(row, column, list, "a list of texts"))
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"expected a list of texts in column {column!r}, got {values!r:.60}")
    return cast("list[str]", values)


# --- choices ----------------------------------------------------------------------------------------------------------

_CONJUNCTIONS = {"cause": "because", "effect": "so"}


def plausible_alternatives(row: Values) -> Example:
    """COPA: the premise, continued by "because" or "so" and either alternative."""
    question = text_of(row, "question")
    if question not in _CONJUNCTIONS:
        raise InputError(f"expected 'cause' or 'effect' in column 'question', got {question!r}")
    choices = (_uncapitalised(text_of(row, column)) for column in ("choice1", "choice2"))
    return Example(text_of(row, "premise"), tuple(f"{_CONJUNCTIONS[question]} {choice}" for choice in choices))


def _uncapitalised(sentence: str) -> str:
    word = re.match(r"\w*", sentence)
    keep = word is None or word[0] == "I" or not word[0].istitle()
    return sentence if keep else sentence[0].lower() + sentence[1:]


def reading_comprehension(row: Values) -> Example:
    """RACE: the article, and the question with each of its options, which fill the blank where it has one."""
    question, options = text_of(row, "question"), _texts(row, "options")
    return Example(
        text_of(row, "article"), tuple(_filled(question, option) for option in options), id=text_of(row, "id")
    )


_BLANK = re.compile(r"_+")


def _filled(question: str, option: str) -> str:
    pieces = _BLANK.split(question)
    # Two blanks are filled by one option ("so; that"): it cannot be told apart reliably, and stands behind instead.
    return " ".join((f"{pieces[0]} {option} {pieces[1]}" if len(pieces) == 2 else f"{question} {option}").split())


def unfold_article(row: Values) -> Iterator[Values]:
    """RACE: one row a question."""
    questions, answers, options = (_typed(row, name, list, "a list") for name in ("questions", "answers", "options"))
    if not len(questions) == len(answers) == len(options):
        raise InputError(
            "expected as many questions as answers and options, "
            f"got {len(questions)}, {len(answers)} and {len(options)}"
        )
    shared = {"article": text_of(row, "article"), "id": text_of(row, "id")}
    for index in range(len(questions)):
        question = {"question": questions[index], "answer": answers[index], "options": options[index]}
        yield {**shared, **question, "id": f"{shared['id']}-{index}"}


# --- marked words -----------------------------------------------------------------------------------------------------


def word_in_context(row: Values) -> Example:
    """WiC: both sentences, with the word in question between asterisks."""
    first, second = (_starred(row, which) for which in "12")
    return Example(first, (second,))


def _starred(row: Values, which: str) -> str:
    sentence = text_of(row, f"sentence{which}")
    start, end = number_of(row, f"start{which}"), number_of(row, f"end{which}")
    if not 0 <= start < end <= len(sentence):
        raise InputError(f"expected a word inside {sentence!r:.60}, got characters {start} to {end}")
    return f"{sentence[:start]}* {sentence[start:end]} *{sentence[end:]}"


def coreference(row: Values) -> Example:
    """WSC: one text, with the pronoun between asterisks and the noun it may stand for between number signs."""
    text = text_of(row, "text")
    marks: list[tuple[int, str]] = []
    for which, mark in (("span1", "#"), ("span2", "*")):
        start, end = _place(row, text, which)
        if start == end:
            # Three official test rows name people who stand apart in the text: the words are put in at the place.
            marks.append((start, f"{mark} {row[f'{which}_text']} {mark} "))
        else:
            marks += [(start, f"{mark} "), (end, f" {mark}")]
    for position, mark in sorted(marks, reverse=True):
        text = text[:position] + mark + text[position:]
    return Example(text)


def _place(row: Values, text: str, which: str) -> tuple[int, int]:
    """Characters of a span: its words where they are nearest to the word that the row counts to."""
    span, index = text_of(row, f"{which}_text"), number_of(row, f"{which}_index")
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    if not 0 <= index < len(starts):
        raise InputError(f"expected the number of a word of {text!r:.60} in column '{which}_index', got {index}")
    # The count is off by a word or the span ends in a full stop in some official rows: words, not positions, decide.
    words = r"\s+".join(map(re.escape, span.rstrip(". ").split()))
    found = re.finditer(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)
    nearest = min(found, key=lambda match: abs(match.start() - starts[index]), default=None) if words else None
    if nearest is None and (which == "span2" or not words):
        raise InputError(f"expected the words {span!r} of column '{which}_text' in {text!r:.60}, got none such")
    return nearest.span() if nearest else (starts[index], starts[index])


def unfold_target(row: Values) -> Iterator[Values]:
    """WSC: the spans beside the text."""
    yield {**row, **_record(row, "target")}


# --- entities and answers ---------------------------------------------------------------------------------------------


def entities_in_passage(row: Values) -> Example:
    """ReCoRD: the passage, and the query with each entity in its blank, in the order in which they first occur."""
    passage, query = text_of(row, "passage"), text_of(row, "query")
    if "@placeholder" not in query:
        raise InputError(f"expected '@placeholder' in column 'query', got {query!r:.60}")

    def in_order(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(set(names), key=lambda name: (passage.find(name), name)))

    entities, answers = in_order(_texts(row, "entities")), in_order(_texts(row, "answers"))
    if not entities:
        raise InputError("expected entities in the passage, got none")
    right = [index for index, entity in enumerate(entities) if entity in answers]
    if answers and not right:
        raise InputError(f"expected an answer among the entities {list(entities)[:12]}, got {list(answers)}")
    return Example(
        _sentences(passage),
        tuple(query.replace("@placeholder", entity) for entity in entities),
        label=right[0] if right else None,
        right=tuple(right[1:]),
        id=number_of(_record(row, "idx"), "query"),
        answers=(entities, answers),
    )


def _sentences(passage: str) -> str:
    """The passage with its highlights as sentences of their own."""
    pieces = [piece.strip() for piece in passage.split("@highlight")]
    ended = (piece if re.search(r"[.?!\"'’”]$", piece) else f"{piece}." for piece in pieces if piece)
    return " ".join(ended)


def unfold_queries(row: Values) -> Iterator[Values]:
    """ReCoRD: one row a query, entities as texts instead of positions (the last one belongs to the entity)."""
    passage = _record(row, "passage")
    text = text_of(passage, "text")
    places = ((number_of(e, "start"), number_of(e, "end")) for e in _rows(passage, "entities"))
    entities = [text[start : end + 1] for start, end in places]
    for query in _rows(row, "qas"):
        answers = [text_of(answer, "text") for answer in _rows({"answers": [], **query}, "answers")]
        numbers = {"passage": row.get("idx"), "query": query.get("idx")}
        yield {"passage": text, "query": query.get("query"), "entities": entities, "answers": answers, "idx": numbers}


def answer_to_question(row: Values) -> Example:
    """MultiRC: the passage, and the question with one of its answers; answers to one question are a group."""
    numbers = _record(row, "idx")
    passage, question, answer = (number_of(numbers, name) for name in ("paragraph", "question", "answer"))
    return Example(
        text_of(row, "paragraph"),
        (f"{text_of(row, 'question')} {text_of(row, 'answer')}",),
        id=(passage, question, answer),
        group=f"{passage}-{question}",
    )


def unfold_passage(row: Values) -> Iterator[Values]:
    """MultiRC: one row an answer."""
    passage = _record(row, "passage")
    for question in _rows(passage, "questions"):
        for answer in _rows(question, "answers"):
            yield {
                "paragraph": text_of(passage, "text"),
                "question": text_of(question, "question"),
                "answer": text_of(answer, "text"),
                "label": answer.get("label"),
                "idx": {"paragraph": row.get("idx"), "question": question.get("idx"), "answer": answer.get("idx")},
            }


def gender_pair(row: Values) -> Example:
    """AX-g: a pair; each row with an even number and the one after it differ in the gender of a pronoun alone."""
    number = number_of(row, "idx")
    return plain("premise", "hypothesis")(row)._replace(group=str(number // 2))
