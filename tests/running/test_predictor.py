"""An export answers where neither torch nor transformers can be imported, and says what it says with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import WORDS, config, reviews, tokenizer
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from subarch.cli import main
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
    with pytest.raises(ValueError, match=r"tokenizer\.json is no tokenizer"):
        Predictor.from_pretrained(broken)
