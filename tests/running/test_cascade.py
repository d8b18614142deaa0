"""Two networks as one: the second answers where the first is not sure, and only there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from subarch.errors import InputError
from subarch.running.base import TextProgram
from subarch.running.cascade import FILE, FIRST, SECOND, CascadeProgram, confidence
from subarch.running.plain import CONSTANT, ConstantProgram, PlainExport
from subarch.running.predictor import EXPORT, Predictor
from subarch.storage import sha256_of, write_json
from subarch.text.examples import Example


class Lengths(TextProgram):
    """Logits that grow with the text, and a note of who asked."""

    def __init__(self, sign: float) -> None:
        self._sign, self.asked = sign, list[str]()

    def texts(self, examples: Sequence[Example], /) -> NDArray[np.float32]:
        self.asked += [one.first for one in examples]
        return np.array([[0.0, self._sign * len(one.first)] for one in examples], np.float32)


def answering(program: TextProgram, names: tuple[str, ...] = ("blame", "praise")) -> Predictor:
    return Predictor(program, None, "classification", names, 0, "tfidf")


@given(texts=st.lists(st.text(max_size=6), max_size=12), least=st.floats(0.4, 1.1))
def test_each_text_is_answered_by_whoever_should(texts: list[str], least: float) -> None:
    first, second = Lengths(1.0), Lengths(-3.0)
    one = CascadeProgram(answering(first), answering(second, ("praise", "blame")), least)
    examples = [Example(text) for text in texts]
    found = one.texts(examples)
    assert found.shape == (len(texts), 2) and first.asked == texts
    sure = [1 / (1 + np.exp(-len(text))) >= least for text in texts]
    assert second.asked == [text for text, enough in zip(texts, sure, strict=True) if not enough]
    for text, enough, said in zip(texts, sure, found, strict=True):
        # The second has the classes in another order.
        assert said.tolist() == ([0.0, len(text)] if enough else [-3.0 * len(text), 0.0])
    if texts:
        assert one.unsure(examples).tolist() == [not enough for enough in sure]


def test_confidence_is_the_largest_probability_however_large_the_logits() -> None:
    found = confidence([np.array([1000.0, 1000.0], np.float32), np.array([0.0, 5000.0], np.float32)])
    assert found == pytest.approx([0.5, 1.0])
    assert len(confidence([])) == 0


def test_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="of the same classes"):
        CascadeProgram(answering(Lengths(1)), answering(Lengths(1), ("no", "yes")), 0.5)


def exported(folder: Path, shares: tuple[float, float], *, form: str = "constant") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if form == "constant":
        write_json(folder / CONSTANT, ConstantProgram(np.log(np.array(shares, np.float32))).document())
    said = PlainExport.of(
        form,  # type: ignore[arg-type]
        folder,
        head="classification",
        label_names=("blame", "praise"),
        texts=1,
        digest=sha256_of,
    )
    write_json(folder / EXPORT, said.to_json())
    return folder


@pytest.mark.parametrize(("least", "label"), [(0.6, "praise"), (0.8, "blame")])
def test_a_folder_is_served_like_any_export(tmp_path: Path, least: float, label: str) -> None:
    exported(tmp_path / FIRST, (0.3, 0.7))
    exported(tmp_path / SECOND, (0.9, 0.1))
    write_json(tmp_path / FILE, {"least": least})
    exported(tmp_path, (0, 0), form="cascade")
    predictor = Predictor.from_pretrained(tmp_path)
    assert predictor.artifact == "cascade" and [one["label"] for one in predictor(["a", "b"])] == [label] * 2
    (tmp_path / FILE).write_text(json.dumps({"least": 0.0}))
    with pytest.raises(InputError, match="not the file that was exported"):
        Predictor.from_pretrained(tmp_path)
    write_json(tmp_path / FILE, {"least": least})
    (tmp_path / SECOND / CONSTANT).write_text("{}")
    with pytest.raises(InputError, match="not the file that was exported"):
        Predictor.from_pretrained(tmp_path)
