"""Castings against examples written by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch.tasks.casting import Values
from subarch.tasks.suites import TASKS
from subarch.text.examples import Example


def cast(name: str, record: Values) -> list[Example]:
    """All examples of one official record."""
    task = TASKS[name]
    return [task.encode(row) for row in task.unfold(record)]


SINGLE = {"sentence": "A fine film ."}
SENTENCES = {"sentence1": "It rains.", "sentence2": "It is wet."}
PREMISE = {"premise": "It rains.", "hypothesis": "It is wet."}


@pytest.mark.parametrize(
    ("name", "row", "texts"),
    [
        ("glue/cola", SINGLE, ("A fine film .",)),
        ("glue/sst-2", SINGLE, ("A fine film .",)),
        ("glue/mrpc", {"#1 String": "It rains.", "#2 String": "It is wet."}, ("It rains.", "It is wet.")),
        ("glue/sts-b", SENTENCES, ("It rains.", "It is wet.")),
        ("glue/qqp", {"question1": "Why?", "question2": "How so?"}, ("Why?", "How so?")),
        ("glue/mnli-m", SENTENCES, ("It rains.", "It is wet.")),
        ("glue/mnli-mm", SENTENCES, ("It rains.", "It is wet.")),
        ("glue/qnli", {"question": "Why?", "sentence": "Because."}, ("Why?", "Because.")),
        ("glue/rte", SENTENCES, ("It rains.", "It is wet.")),
        ("glue/wnli", SENTENCES, ("It rains.", "It is wet.")),
        ("glue/ax", SENTENCES, ("It rains.", "It is wet.")),
        ("superglue/boolq", {"passage": "Rain is wet.", "question": "is rain wet"}, ("is rain wet", "Rain is wet.")),
        ("superglue/cb", PREMISE, ("It rains.", "It is wet.")),
        ("superglue/rte", PREMISE, ("It rains.", "It is wet.")),
        ("superglue/ax-b", SENTENCES, ("It rains.", "It is wet.")),
    ],
)
def test_texts_as_they_are(name: str, row: Values, texts: tuple[str, ...]) -> None:
    assert cast(name, row) == [Example(texts[0], texts[1:])]


def test_copa() -> None:
    row = {"premise": "The lawn was wet.", "choice1": "It rained.", "choice2": "I watered it.", "question": "cause"}
    assert cast("superglue/copa", row) == [
        Example("The lawn was wet.", ("because it rained.", "because I watered it."))
    ]
    row = {**row, "choice1": "TV shows began.", "choice2": "We slipped.", "question": "effect"}
    assert cast("superglue/copa", row)[0].seconds == ("so TV shows began.", "so we slipped.")


def test_race() -> None:
    record = {
        "id": "middle7.txt",
        "article": "Ann has two cats.",
        "questions": ["Ann has  _  cats.", "Who has cats?", "Not _ , but _ ."],
        "options": [["no", "two"], ["Ann", "Bob"], ["a; b", "b; a"]],
        "answers": ["B", "A", "A"],
    }
    assert cast("race/middle", record) == [
        Example("Ann has two cats.", ("Ann has no cats.", "Ann has two cats."), id="middle7.txt-0"),
        Example("Ann has two cats.", ("Who has cats? Ann", "Who has cats? Bob"), id="middle7.txt-1"),
        Example("Ann has two cats.", ("Not _ , but _ . a; b", "Not _ , but _ . b; a"), id="middle7.txt-2"),
    ]
    assert [row["answer"] for row in TASKS["race/middle"].unfold(record)] == ["B", "A", "A"]


def test_wic() -> None:
    row = {"word": "place", "sentence1": "Come to my place?", "sentence2": "Places!", "start1": 11, "end1": 16}
    assert cast("superglue/wic", {**row, "start2": 0, "end2": 6}) == [
        Example("Come to my * place *?", ("* Places *!",))
    ]


@pytest.mark.parametrize(
    ("text", "first", "second", "marked"),
    [
        ("Mark told Pete about himself.", (0, "Mark"), (4, "himself"), "# Mark # told Pete about * himself *."),
        # Punctuation and a possessive end belong to the word that is counted, not to the span.
        ("Ann's cat bit Bob, so he cried.", (3, "Bob"), (5, "he"), "Ann's cat bit # Bob #, so * he * cried."),
        ("Ann's cat saw Ann and she ran.", (0, "Ann"), (5, "she"), "# Ann #'s cat saw Ann and * she * ran."),
        # The count is off by one word; the nearest occurrence is meant.
        ("It fell, and I want to use it , now.", (2, "and"), (7, "it"), "It fell, # and # I want to use * it * , now."),
        # Case, line breaks and full stops differ.
        ("He saw the\tred box. It fell.", (2, "The red\nbox."), (5, "It"), "He saw # the\tred box #. * It * fell."),
        # Names that stand apart are put in at the place.
        ("Then Ann, who met Bob, said they left.", (1, "Ann and Bob"), (6, "they"),
         "Then # Ann and Bob # Ann, who met Bob, said * they * left."),
    ],
)  # fmt: skip
def test_wsc(text: str, first: tuple[int, str], second: tuple[int, str], marked: str) -> None:
    target = {"span1_index": first[0], "span1_text": first[1], "span2_index": second[0], "span2_text": second[1]}
    assert cast("superglue/wsc", {"text": text, "target": target}) == [Example(marked)]


def test_multirc() -> None:
    record = {
        "idx": 3,
        "passage": {
            "text": "Ann ran.",
            "questions": [
                {"idx": 8, "question": "Who ran?", "answers": [{"idx": 20, "text": "Ann", "label": 1}]},
                {"idx": 9, "question": "Why?", "answers": [{"idx": 21, "text": "No idea"}, {"idx": 22, "text": "Fun"}]},
            ],
        },
    }
    assert cast("superglue/multirc", record) == [
        Example("Ann ran.", ("Who ran? Ann",), id=(3, 8, 20), group="3-8"),
        Example("Ann ran.", ("Why? No idea",), id=(3, 9, 21), group="3-9"),
        Example("Ann ran.", ("Why? Fun",), id=(3, 9, 22), group="3-9"),
    ]
    assert [row["label"] for row in TASKS["superglue/multirc"].unfold(record)] == [1, None, None]


def record_of_entities(*answers: str, query: str = "@placeholder met her.") -> dict[str, Any]:
    text = "Bob Ray saw Ann\n@highlight\nBob met Ann in Rome\n@highlight\nAnn left!"
    places = [(27, 29), (0, 6), (12, 14), (35, 37), (42, 45), (58, 60)]
    entities = [{"start": start, "end": end} for start, end in places]  # the end is the entity's last character
    spans = [{"start": 0, "end": 2, "text": answer} for answer in answers]
    qas = [{"idx": 5, "query": query, "answers": spans}]
    return {"idx": 1, "passage": {"text": text, "entities": entities}, "qas": qas}


def test_record() -> None:
    (example,) = cast("superglue/record", record_of_entities("Bob", "Bob Ray", "Bob"))
    assert example == Example(
        "Bob Ray saw Ann. Bob met Ann in Rome. Ann left!",
        ("Bob met her.", "Bob Ray met her.", "Ann met her.", "Rome met her."),
        label=0,
        right=(1,),
        id=5,
        answers=(("Bob", "Bob Ray", "Ann", "Rome"), ("Bob", "Bob Ray")),
    )
    (unlabelled,) = cast("superglue/record", record_of_entities())
    assert unlabelled == example._replace(label=None, right=(), answers=(example.answers[0], ()))
    record = record_of_entities()
    del record["qas"][0]["answers"]
    assert cast("superglue/record", record) == [unlabelled]


def test_winogender_rows_go_in_pairs() -> None:
    rows = [{**PREMISE, "idx": idx, "pair_id": 551646 + 2 * idx} for idx in range(4)]
    assert [cast("superglue/ax-g", row)[0].group for row in rows] == ["0", "0", "1", "1"]


WORDS = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_marks_add_nothing_else(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    first, second = (data.draw(st.integers(0, len(words) - 1)) for _ in range(2))
    target = {"span1_index": first, "span1_text": words[first], "span2_index": second, "span2_text": words[second]}
    (marked,) = cast("superglue/wsc", {"text": text, "target": target})
    assert marked.first.replace("# ", "").replace(" #", "").replace("* ", "").replace(" *", "") == text
    assert f"# {words[first]} #" in marked.first or first == second
    start = len(" ".join([*words[:first], ""]))
    place = {"start1": start, "end1": start + len(words[first]), "start2": 0, "end2": len(text)}
    (example,) = cast("superglue/wic", {"sentence1": text, "sentence2": text, **place})
    assert example.first.split() == [*words[:first], "*", words[first], "*", *words[first + 1 :]]
    assert example.seconds == (f"* {text} *",)


TARGET = {"span1_index": 0, "span1_text": "Ann", "span2_index": 2, "span2_text": "she"}
ARTICLE = {"id": "high1.txt", "article": "A.", "questions": ["Q?"], "options": [["a", "b"]], "answers": ["A"]}
WIC = {"sentence1": "A place.", "sentence2": "Places.", "start1": 2, "end1": 7, "start2": 0, "end2": 6}
COPA = {"premise": "P.", "choice1": "A.", "choice2": "B.", "question": "cause"}


@pytest.mark.parametrize(
    ("name", "record", "message"),
    [
        ("glue/cola", {"text": "a"}, r"a text in column 'sentence', got only \['text'\]"),
        ("glue/cola", {"sentence": None}, "a text in column 'sentence', got None"),
        ("superglue/copa", {**COPA, "question": "reason"}, "'cause' or 'effect' in column 'question', got 'reason'"),
        ("superglue/wic", {**WIC, "end1": 9}, r"a word inside 'A place\.', got characters 2 to 9"),
        ("superglue/wic", {**WIC, "end2": 0}, "characters 0 to 0"),
        ("superglue/wic", {**WIC, "start1": "two"}, "a whole number in column 'start1', got 'two'"),
        ("superglue/wsc", {"text": "Ann said she left."}, r"an object in column 'target', got only \['text'\]"),
        ("superglue/wsc", {"text": "Ann said he left.", "target": TARGET}, r"the words 'she' of column 'span2_text'"),
        ("superglue/wsc", {"text": "Ann left.", "target": TARGET}, "the number of a word of .* got 2"),
        ("superglue/wsc", {"text": "A b she.", "target": {**TARGET, "span1_text": " . "}}, r"the words ' \. '"),
        ("superglue/multirc", {"idx": 1, "passage": {"text": "a"}}, r"a list in column 'questions', got only"),
        ("superglue/multirc", {"passage": {"text": "a", "questions": [1]}}, r"a list of objects .* got \[1\]"),
        ("superglue/record", record_of_entities("Eve"), r"an answer among the entities .*'Rome'\], got \['Eve'\]"),
        ("superglue/record", record_of_entities(query="Who?"), r"'@placeholder' in column 'query', got 'Who\?'"),
        ("superglue/record", {"passage": {"text": "a", "entities": []}, "qas": [{"query": "@placeholder"}]},
         "expected entities in the passage, got none"),
        ("race/high", {**ARTICLE, "answers": []}, "as many questions as answers and options, got 1, 0 and 1"),
        ("race/high", {**ARTICLE, "options": [[1, 2]]}, r"a list of texts in column 'options', got \[1, 2\]"),
        ("superglue/ax-g", PREMISE, "a whole number in column 'idx'"),
    ],
)  # fmt: skip
def test_rows_that_lack_something(name: str, record: Values, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cast(name, record)
