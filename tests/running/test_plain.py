"""Rungs that are no networks are served like any export, by numpy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subarch.errors import InputError
from subarch.running.plain import CONSTANT, PLAIN, ConstantProgram, PlainExport
from subarch.running.predictor import EXPORT, Predictor
from subarch.running.tfidf import LinearModel, Terms, TfidfProgram
from subarch.storage import sha256_of, write_json

SERVED = """
import sys
from subarch import Predictor
for folder in sys.argv[1:]:
    print(Predictor.from_pretrained(folder)(["good"])[0]["label"])
print(sorted({"torch", "transformers", "sklearn", "scipy", "onnxruntime"} & set(sys.modules)))
"""


def write(folder: Path, form: Any) -> Path:
    said: dict[str, Any] = {"head": "classification", "label_names": ("blame", "praise"), "texts": 1}
    write_json(folder / EXPORT, PlainExport.of(form, folder, digest=sha256_of, **said).to_json())
    return folder


@pytest.fixture
def constant(tmp_path: Path) -> Path:
    folder = tmp_path / "constant"
    folder.mkdir()
    write_json(folder / CONSTANT, ConstantProgram(np.log(np.array([0.25, 0.75], np.float32))).document())
    return write(folder, "constant")


@pytest.fixture
def tfidf(tmp_path: Path) -> Path:
    folder = tmp_path / "tfidf"
    folder.mkdir()
    known = Terms({"good": 0}, np.ones(1)), Terms({}, np.ones(0))
    weights = np.array([[[0, 5]]], np.float32)
    TfidfProgram(LinearModel(known, weights, np.zeros((2, 2), np.float32), np.array([1, 0], np.float32))).write(folder)
    return write(folder, "tfidf")


def test_the_predictor_serves_them(constant: Path, tfidf: Path) -> None:
    said = Predictor.from_pretrained(constant)(["whatever", ""])
    assert said[0] == said[1] and said[0]["probabilities"] == pytest.approx({"blame": 0.25, "praise": 0.75})
    predictor = Predictor.from_pretrained(tfidf, threads=1, passes=1)
    assert [one["label"] for one in predictor(["good", "dull"])] == ["praise", "blame"]
    assert (predictor.artifact, predictor.tokenizer) == ("tfidf", None)
    with pytest.raises(InputError, match="single texts"):
        predictor([("one", "two")])


def test_no_library_is_imported_for_them_but_numpy(constant: Path, tfidf: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", SERVED, constant, tfidf], capture_output=True, text=True)
    assert ran.stdout.split() == ["praise", "praise", "[]"], ran.stderr


def test_files_that_were_changed_are_refused(tfidf: Path) -> None:
    (tfidf / "tfidf.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not the file that was exported"):
        Predictor.from_pretrained(tfidf)


@pytest.mark.parametrize("damage", ["{}", '{"words": 3, "pieces": []}', "no JSON"])
def test_files_of_another_program_are_refused_whoever_says_they_are_whole(tfidf: Path, damage: str) -> None:
    (tfidf / "tfidf.json").write_text(damage, encoding="utf-8")
    write(tfidf, "tfidf")  # with a digest that fits
    with pytest.raises(InputError, match=r"damaged or of another program|expected weights"):
        Predictor.from_pretrained(tfidf)


def test_objects_in_an_array_are_never_unpickled(tfidf: Path) -> None:
    np.savez(tfidf / "tfidf.npz", words_idf=np.array([{}], dtype=object))
    write(tfidf, "tfidf")
    with pytest.raises(InputError, match="damaged or of another program"):
        Predictor.from_pretrained(tfidf)


def test_each_form_knows_its_files() -> None:
    assert {name: form.files() for name, form in PLAIN.items()} == {
        "constant": ("constant.json",),
        "tfidf": ("tfidf.json", "tfidf.npz"),
        "static": ("static.npz",),
        "cascade": ("cascade.json",),
    }
    assert not any(form.company_counts for form in PLAIN.values())
    assert json.loads(json.dumps(ConstantProgram(np.ones(2, np.float32)).document())) == {"outputs": [1.0, 1.0]}
