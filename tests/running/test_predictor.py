"""An export answers where neither torch nor transformers can be imported, and says what it says with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import WORDS, config, reviews, tokenizer
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from subarch.cli import main
from subarch.errors import InputError
from subarch.running.predictor import Predictor, read_export

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

FORMS = ("onnx", "openvino")
TEXTS = [*(text for text, _ in reviews(6, seed=4)), "", "nothing of this 日本語", " ".join(WORDS * 4)]

# Packages that networks learn with, as if they were not installed: to `import` and to find_spec alike.
WITHOUT = """
import json, sys
from importlib.machinery import PathFinder

hidden = {"torch", "transformers", "scipy", "sklearn", "optuna", "safetensors", "accelerate", "onnx", "onnxscript",
          "nncf", "huggingface_hub", "rich", "tyro", "plotly", "joblib"}

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
folder, texts, forms = json.loads(sys.argv[1])
from subarch import Predictor
said = {}
for form in forms:
    predictor = Predictor.from_pretrained(folder, artifact=form, threads=1)
    predictor(texts)
    said[form] = [one.tolist() for one in predictor.outputs(texts)]
print(json.dumps([said, sorted(hidden & set(sys.modules))]))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    model = BertForSequenceClassification(config(num_labels=3))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder / "model")
    tokenizer().save_pretrained(folder / "model")
    given = ["--run", str(folder / "run"), "--artifacts", *FORMS, "--threads", "1"]
    assert main(["export", str(folder / "model"), *given]) == 0
    return folder / "run" / "export"


def test_answers_need_neither_torch_nor_transformers(exported: Path, tmp_path: Path) -> None:
    given = json.dumps([str(exported), TEXTS, FORMS])
    ran = subprocess.run([sys.executable, "-c", WITHOUT, given], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    said, loaded = json.loads(ran.stdout)
    assert loaded == []
    for form in FORMS:
        here = Predictor.from_pretrained(exported, artifact=form, threads=1).outputs(TEXTS)
        assert np.array(said[form]) == pytest.approx(np.array(here), abs=1e-6)
        with torch.no_grad():  # the stock library from end to end
            stock = BertForSequenceClassification.from_pretrained(exported.parent.parent / "model").eval()
            read = PreTrainedTokenizerFast.from_pretrained(exported.parent.parent / "model")
            for text, one in zip(TEXTS, said[form], strict=True):
                length = read_export(exported)["length"]
                batch = read([text], truncation=True, max_length=length, return_tensors="pt")
                assert stock(**batch).logits[0].tolist() == pytest.approx(one, abs=1e-4)


def test_an_earlier_export_is_opened_by_transformers_and_so_much_is_said(
    exported: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = Path(shutil.copytree(exported, tmp_path / "earlier"))
    told = read_export(earlier)
    del told["tokenizer"]
    (earlier / "export.json").write_text(json.dumps(told), encoding="utf-8")
    said = [Predictor.from_pretrained(earlier, artifact="onnx", threads=1)(TEXTS) for _ in range(2)]
    assert said[0] == said[1] == Predictor.from_pretrained(exported, artifact="onnx", threads=1)(TEXTS)
    assert [record.message for record in caplog.records if "earlier version" in record.message] == [
        f"{earlier} was exported by an earlier version: its tokenizer is opened by transformers, which takes seconds; "
        "export it again to do without"
    ]


def test_a_tokenizer_that_was_cut_off_is_refused(exported: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(exported, tmp_path / "broken"))
    whole = (broken / "tokenizer.json").read_bytes()
    (broken / "tokenizer.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"tokenizer\.json is not the file that was exported"):
        Predictor.from_pretrained(broken)


def test_a_tokenizer_that_reads_otherwise_is_refused(exported: Path, tmp_path: Path) -> None:
    """It is whole, and every text would be read as another one."""
    changed = Path(shutil.copytree(exported, tmp_path / "changed"))
    file = changed / "tokenizer.json"
    known = json.loads(file.read_text())
    words = known["model"]["vocab"]
    words[WORDS[0]], words[WORDS[1]] = words[WORDS[1]], words[WORDS[0]]
    file.write_text(json.dumps(known))
    with pytest.raises(InputError, match=r"tokenizer\.json is not the file that was exported"):
        Predictor.from_pretrained(changed)


@pytest.mark.parametrize("text", ["", "[]", "null", "3", '"export"', "{}", '{"chosen": "onnx", "parity": {}}'])
def test_a_list_of_contents_that_says_something_else_is_refused(exported: Path, tmp_path: Path, text: str) -> None:
    other = Path(shutil.copytree(exported, tmp_path / "other"))
    (other / "export.json").write_text(text)
    with pytest.raises(InputError, match=r"export\.json"):
        Predictor.from_pretrained(other)


@pytest.mark.parametrize("name", ["chosen", "parity", "sha256", "head", "label_names", "length"])
def test_what_a_list_of_contents_lacks_is_named(exported: Path, tmp_path: Path, name: str) -> None:
    other = Path(shutil.copytree(exported, tmp_path / "other"))
    known = json.loads((other / "export.json").read_text())
    (other / "export.json").write_text(json.dumps({key: value for key, value in known.items() if key != name}))
    with pytest.raises(InputError, match=rf"\({name}\).*export it again"):
        Predictor.from_pretrained(other)


@pytest.mark.parametrize("given", [{"threads": 0}, {"threads": "2"}, {"batch_size": 2.5}, {"passes": -1}])
def test_numbers_that_are_none_are_refused(exported: Path, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must be an integer from 1"):
        Predictor.from_pretrained(exported, **given)


def test_what_is_no_number_is_no_answer(exported: Path) -> None:
    """A softmax over it would give the first label, with probabilities that are no numbers."""
    predictor = Predictor.from_pretrained(exported, artifact="onnx")
    sound = predictor.program

    class Overflowing:
        inputs = sound.inputs

        def __call__(self, inputs: Any, /) -> Any:
            return np.where(inputs["attention_mask"].sum(1, keepdims=True) > 6, np.nan, sound(inputs))

    with pytest.raises(InputError, match=r"finite.*nan for the text at place 1"):
        replace(predictor, program=Overflowing())(["good", " ".join(WORDS[:8])])
