"""Tags of words: decisions, answers as the stock pipeline has them, and what Agora asks."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, RobertaConfig, RobertaForTokenClassification, pipeline

from subarch.learning.checkpoints import open_fitted
from subarch.learning.heads import outputs
from subarch.running.base import Program
from subarch.running.predictor import Predictor
from subarch.tasks.kinds.table import kind_of, kind_with_words
from subarch.testing import KindSuite
from subarch.text.examples import Example, words_in
from subarch.text.tokenizers import train_tokenizer

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
KIND = kind_of("tokens")


def tagged(text: str, *tags: int) -> Example:
    return Example(text, label=tags, words=words_in(text), answers=(NAMES, ()))


EXAMPLES = (
    tagged("Anna lives in New York", 3, 0, 0, 1, 2),
    tagged("she met Bob", 0, 0, 3),
    tagged("nothing here", 0, 0),
)


class TestTokens(KindSuite):
    kind = "tokens"
    names = NAMES
    examples: ClassVar[Sequence[Example]] = EXAMPLES
    labels = ("O B-PER", "B-LOC I-LOC", "O O", "B-PER O") * 3
    wrong = "O B-UNHEARD"


def texts(count: int, seed: int = 0) -> list[str]:
    """Words, marks, capitals, blanks and scripts at random."""
    rng = random.Random(seed)
    words = ["Anna", "New York", "o'clock", "R.H.", "Füße", "日本", "e-mail", "😀", "?", "\u00a0", " ", "..."]

    def drawn() -> str:
        word = rng.choice([*words, "".join(rng.choices(string.ascii_letters, k=rng.randint(1, 9)))])
        return word + rng.choice(["", " "])

    return [rng.choice(["", " "]).join(drawn() for _ in range(rng.randint(1, 30))) for _ in range(count)]


def checkpoint(folder: Path, names: Sequence[str], made: Any, config: Any, model: str) -> Path:
    tokenizer = train_tokenizer(texts(200, 1), 300, model=model)
    torch.manual_seed(len(names))
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    network = made(
        config(
            vocab_size=len(tokenizer),
            max_position_embeddings=80,
            initializer_range=1.0,
            id2label=dict(enumerate(names)),
            label2id={name: n for n, name in enumerate(names)},
            pad_token_id=int(tokenizer.pad_token_id or 0),
            **sizes,
        )
    ).eval()
    network.save_pretrained(folder)
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("names", "made", "config", "model"),
    [
        (NAMES, BertForTokenClassification, BertConfig, "wordpiece"),
        (("B-A", "E-A", "S-A", "O", "I-A", "B-B"), BertForTokenClassification, BertConfig, "wordpiece"),
        (("NOUN", "VERB", "O", "X-Y"), RobertaForTokenClassification, RobertaConfig, "bpe"),
    ],
    ids=["BIO", "BIOES", "plain"],
)
def test_answers_are_the_stock_pipelines(
    names: Sequence[str], made: Any, config: Any, model: str, tmp_path: Path
) -> None:
    folder = checkpoint(tmp_path / "network", names, made, config, model)
    fitted = open_fitted(folder)
    assert fitted.kind == "tokens" and fitted.label_names == tuple(names)
    given = [one for one in texts(60) if one.strip()]
    stock: Any = pipeline("token-classification", str(folder), aggregation_strategy="simple", device="cpu")
    some = 0
    for example in map(Example, given):  # one by one: in company sums come in another order
        tokens = fitted.tokens([example])
        (output,) = outputs(fitted.model, tokens)
        said = KIND.answer_in(example, tokens.spans[0], output, names)["entities"]
        wanted = stock(example.first)
        some += len(wanted)
        assert [(one["entity_group"], one["start"], one["end"]) for one in said] == [
            (one["entity_group"], one["start"], one["end"]) for one in wanted
        ]
        assert [one["score"] for one in said] == pytest.approx([float(one["score"]) for one in wanted], rel=1e-6)
        assert all(one["word"] == example.first[one["start"] : one["end"]] for one in said)
    assert some > 100


class _Asked(Program):
    """The network as a program."""

    def __init__(self, model: Any) -> None:
        self._model, self.inputs = model, ("input_ids", "attention_mask")

    @torch.no_grad()
    def __call__(self, inputs: Any, /) -> Any:
        return self._model(**{name: torch.from_numpy(inputs[name]) for name in self.inputs}).logits.numpy()


def test_a_predictor_gives_entities(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "network", NAMES, BertForTokenClassification, BertConfig, "wordpiece")
    fitted = open_fitted(folder)
    predictor = Predictor(_Asked(fitted.model), fitted.tokenizer, "tokens", NAMES, fitted.length, "onnx")
    stock: Any = pipeline("token-classification", str(folder), aggregation_strategy="simple", device="cpu")
    text = "Anna met Bob in New York"
    (found,) = predictor([text])
    assert [(one["start"], one["end"]) for one in found["entities"]] == [(w["start"], w["end"]) for w in stock(text)]
    assert json.loads(json.dumps(found)) == found


def test_words_are_answered_at_their_first_tokens(tmp_path: Path) -> None:
    """Of a text that is cut, and of words that no token stands for, nothing is said."""
    folder = checkpoint(tmp_path / "network", NAMES, BertForTokenClassification, BertConfig, "wordpiece")
    fitted = open_fitted(folder)
    text = "Annabel-Lee met Bob " + "again " * 80
    example = tagged(text, *([0] * len(words_in(text))))
    tokens = fitted.tokens([example])
    encoded = fitted.tokenizer(text, truncation=True, max_length=64, return_offsets_mapping=True)
    first: dict[int, int] = {}
    for place, word in enumerate(encoded.word_ids()):
        if word is not None:
            first.setdefault(encoded["offset_mapping"][place][0], place)
    wanted = [first.get(start, -1) for start, _ in example.words or ()]
    assert tokens.places is not None and tokens.places.of(0).tolist() == wanted and wanted[-1] == -1
    (found,) = outputs(fitted.model, tokens)
    with torch.no_grad():
        logits = fitted.model(input_ids=torch.tensor([encoded["input_ids"]])).logits[0].numpy()
    assert np.allclose(found[: wanted.index(-1)], logits[wanted[: wanted.index(-1)]], atol=1e-5)
    (said,) = KIND.decide([found])
    assert isinstance(said, tuple) and said[-1] == -1 and -1 not in said[: wanted.index(-1)]


def test_names_meet_by_name_and_a_task_may_have_fewer(caplog: pytest.LogCaptureFixture) -> None:
    assert KIND.places("t", ["O", "B-X"], of=KIND, among=["B-X", "O"]) == [1, 0]
    assert KIND.places("t", ["O", "B-X"], of=KIND, among=["B-X", "B-Y", "O"]) == [2, 0]
    assert "t has no 'B-Y', which the model knows" in caplog.text
    with pytest.raises(ValueError, match="t has the tags 'O', 'B-Z', the model 'B-X', 'O'"):
        KIND.places("t", ["O", "B-Z"], of=KIND, among=["B-X", "O"])
    with pytest.raises(ValueError, match="t is a tokens, the model's head is made for classification"):
        KIND.places("t", ["O"], of=kind_of("classification"), among=["O"])


def test_rare_types_are_dealt_evenly() -> None:
    assert KIND.strata(EXAMPLES, NAMES) == ["LOC", "PER", "none"]
    assert KIND.groups(NAMES) == ("O", "LOC", "LOC", "PER", "PER")


def test_mistakes_are_wrong_and_missed_entities() -> None:
    labels = KIND.rows(EXAMPLES, 5)
    said = labels.copy()
    said[1, 2] = [1, 0, 0, 0, 0]  # Bob is missed
    said[2, 1] = 0  # was not read
    assert KIND.wrong(labels, said, None).tolist() == [False, True, False]
    assert KIND.score_rows(["entity_f1"], labels, said, NAMES) == pytest.approx(2 * 2 / (3 + 2))
    assert KIND.counts(labels, NAMES) == {"LOC": 1, "PER": 2}
    assert [KIND.in_words(row, NAMES, one) for row, one in zip(labels, EXAMPLES, strict=True)] == [
        "PER: Anna; LOC: New York",
        "PER: Bob",
        "no entity",
    ]
    told = KIND.told(NAMES, EXAMPLES, [(3, 0, 0, 1, 2), (0, 0, 0), (0, 0)])
    assert [(one.name, one.examples, one.answered, one.right) for one in told.classes or ()] == [
        ("LOC", 1, 1, 1),
        ("PER", 2, 1, 1),
    ]
    assert kind_with_words() == KIND
    with pytest.raises(ValueError, match="at least two tags"):
        KIND.check_learnable("training", labels[2:])


def test_a_teacher_that_says_nothing_is_below_the_bar() -> None:
    labels = KIND.rows(EXAMPLES, 5)
    nothing = np.zeros_like(labels)
    nothing[..., 0] = labels.sum(-1)
    able = KIND.ability(labels, nothing)
    assert able.value == 0 < able.bar
