"""Export, its predictor and bench on the command line: what a user sees, wrong input included."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from tiny import config, reviews, tokenizer, write
from transformers import BertForMaskedLM, BertForSequenceClassification, BertModel

from commands import Command, content, refused
from subarch.cli import main
from subarch.jobs.splits import task_again
from subarch.learning.checkpoints import open_fitted
from subarch.learning.heads import outputs
from subarch.learning.purposes import Purpose
from subarch.running.predictor import Predictor
from subarch.text.examples import Example

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

QUICK = ("--epochs", "2", "--seeds", "1", "--learning-rates", "3e-3", "--batch-size", "8", "--max-length", "32")
FORMS = ("--artifacts", "onnx", "onnx-int8", "openvino-int8")
THREADS = ("--threads", "1")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table, and a run that was fine-tuned on it."""
    folder = tmp_path_factory.mktemp("tuned")
    torch.manual_seed(0)
    BertModel(config()).save_pretrained(folder / "encoder")
    tokenizer().save_pretrained(folder / "encoder")
    data = write(folder / "reviews.csv", [*reviews(200)])
    given = ["--model", str(folder / "encoder"), "--data", str(data), "--run", str(folder / "run")]
    assert main(["finetune", *given, *QUICK, *THREADS]) == 0
    return data, folder / "run"


@pytest.fixture(scope="module")
def exported(tuned: tuple[Path, Path]) -> Path:
    assert main(["export", "--run", str(tuned[1]), *FORMS, *THREADS]) == 0
    return tuned[1] / "export"


def test_a_run_is_exported_and_judged_on_its_own_development_rows(
    subarch: Command, tuned: tuple[Path, Path], exported: Path
) -> None:
    data, run = tuned
    found = subarch("export", "--run", run, *FORMS, *THREADS, "--json").json
    assert found["judged_on"] == f"development data of {data}" and found["examples"] == 30
    assert [row["artifact"] for row in found["parity"]] == list(FORMS[1:])
    for row in found["parity"]:
        assert {"artifact", "metric", "drop", "label_flips", "passed"} <= set(row)
    plain = found["parity"][0]
    assert plain["passed"] and plain["drop"] == 0 and plain["label_flips"] == 0
    passing = {row["artifact"] for row in found["parity"] if row["passed"]}
    times = {row["artifact"]: row["p50_ms"] for row in found["latency"]}
    assert found["chosen"] == min(passing, key=lambda name: times[name])
    assert set(found["files"]) == {str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()}
    assert {"config.json", "tokenizer.json", "model.onnx", "model_quantized.onnx"} <= set(found["files"])


def test_the_same_export_is_not_made_again(subarch: Command, tuned: tuple[Path, Path], exported: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in exported.rglob("*")}
    subarch("export", "--run", tuned[1], *FORMS, *THREADS)
    assert {path: path.stat().st_mtime_ns for path in exported.rglob("*")} == before


def test_a_network_of_single_texts_is_not_judged_on_pairs(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    pairs = [(text, text, label) for text, label in reviews(40, seed=7)]
    data = write(tmp_path / "pairs.csv", pairs, ("sentence1", "sentence2", "label"))
    columns = ("--text-columns", "sentence1", "sentence2")
    refused(subarch("export", checkpoint, "--data", data, *columns, "--run", "run"), "reads 1 text", "sentence2")
    assert not (tmp_path / "run").exists()


def test_a_run_that_was_moved_is_timed_and_one_of_other_weights_is_not(
    subarch: Command, tuned: tuple[Path, Path], exported: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tuned[1], tmp_path / "moved"))
    told = json.loads((run / "export" / "export.json").read_text())
    (run / "export" / "export.json").write_text(json.dumps(told | {"model": str(tmp_path / "gone")}))
    given = ("--against", run, "--runtime", "onnxruntime", "--rounds", "1", "--sequence-length", "8", "--no-memory")
    found = subarch("bench", run, *given, *THREADS, "--run", tmp_path / "bench", "--json").json
    assert {row["name"] for row in found["rows"]} == {str(run)}
    checkpoint = run / "finetune" / "reviews" / "checkpoint"
    weights = load_file(checkpoint / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, checkpoint / "model.safetensors")
    refused(subarch("bench", run, *given, *THREADS, "--run", tmp_path / "other"), "other weights", "export again")


def test_the_predictor_says_what_the_checkpoint_says(tuned: tuple[Path, Path], exported: Path) -> None:
    fitted = open_fitted(tuned[1] / "finetune" / "reviews" / "checkpoint")
    texts = ["the film is very good", "a bad play", "the story was not fine and the actor was rather poor", "film"]
    expected = outputs(fitted.model, fitted.tokens([Example(text) for text in texts]))
    predictor = Predictor.from_pretrained(exported, artifact="onnx", threads=1, batch_size=2)
    said = predictor.outputs([Example(text) for text in texts])
    assert np.stack(said) == pytest.approx(np.stack(expected), abs=1e-4)
    for answer, one in zip(predictor(texts), expected, strict=True):
        shares = np.exp(one) / np.exp(one).sum()
        assert answer["label"] == fitted.label_names[int(one.argmax())]
        assert list(answer["probabilities"].values()) == pytest.approx(shares.tolist(), abs=1e-4)
    assert predictor([]) == []
    assert Predictor.from_pretrained(exported).artifact in FORMS
    with pytest.raises(ValueError, match="list of texts"):
        predictor("one text")
    # It was fine-tuned on single texts, which the export remembers.
    with pytest.raises(ValueError, match="expected single texts, as the network was fine-tuned on, got pairs"):
        predictor([("good film", "bad play")])


def test_a_form_asked_in_company_answers_as_alone(exported: Path) -> None:
    texts = [text for text, _ in reviews(12, seed=11)] + ["good", "the film of the play " * 5]
    for form in FORMS[1:]:
        predictor: Any = Predictor.from_pretrained(exported, artifact=form, threads=1)
        together, alone = predictor(texts), [predictor([text])[0] for text in texts]
        for one, other in zip(together, alone, strict=True):
            assert one["probabilities"] == pytest.approx(
                other["probabilities"], abs=1e-5 if "int8" not in form else 0.02
            )


def test_an_export_tells_what_opens_it(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    told = json.loads((exported / "export.json").read_text())["opens_with"]
    assert set(told) == set(FORMS[1:])
    for form, file in (("onnx", "model.onnx"), ("onnx-int8", "model_quantized.onnx")):
        model = onnx.load(str(exported / file))
        assert told[form]["ir_version"] == model.ir_version == 9
        assert told[form]["opsets"] == {one.domain or "ai.onnx": one.version for one in model.opset_import}
        # Tried: 1.17.3 opens both, 1.16.3 does not.
        assert told[form]["oldest_onnxruntime"] == "1.17" and told[form]["own_operators"] == ["MultiHeadAttention"]
    assert told["openvino-int8"]["ir_version"] == 11 and told["openvino-int8"]["oldest_openvino"]


def test_a_class_that_is_lost_is_told_and_refused(subarch: Command, tmp_path: Path, caplog: Any) -> None:
    """A network that says the rare class of the word "bad", until 8 bits round that word to nothing."""
    torch.manual_seed(0)
    network = BertForSequenceClassification(config(num_labels=2, id2label={0: "fraud", 1: "ok"}))  # type: ignore[arg-type]
    reader = tokenizer()
    with torch.no_grad():
        network.bert.embeddings.word_embeddings.weight.mul_(0.1)
        bad = reader.convert_tokens_to_ids("bad")
        for n, layer in enumerate(network.bert.encoder.layer):  # each token passes as it is
            layer.attention.output.dense.weight.zero_()
            layer.output.dense.weight.zero_()
            if not n:  # but for a little that the first one learns from all others
                layer.attention.self.value.weight.copy_(torch.eye(32))
                layer.attention.output.dense.weight.copy_(4 * torch.eye(32))
        network.bert.embeddings.word_embeddings.weight[bad] = 3 * torch.randn(32)
    rows = [(" ".join(w for w in text.split() if w != "bad") or "film", "ok") for text, _ in reviews(200)]
    rare = [(f"bad {text}", "fraud") for text, _ in rows[:6]]
    ids = reader([text for text, _ in [*rows, *rare]], padding=True, return_tensors="pt")
    labels = torch.tensor([1] * len(rows) + [0] * len(rare))
    with torch.no_grad():
        states = network.bert(**ids).pooler_output
    fitted = LogisticRegression(C=1e4, class_weight="balanced", max_iter=2000).fit(states.numpy(), labels.numpy())
    with torch.no_grad():
        network.classifier.weight.copy_(torch.tensor(np.concatenate([-fitted.coef_, fitted.coef_]) / 2))
        network.classifier.bias.copy_(torch.tensor([-fitted.intercept_[0], fitted.intercept_[0]]) / 2)
        outlier = reader.convert_tokens_to_ids("##z") if "##z" in reader.get_vocab() else 399
        network.bert.embeddings.word_embeddings.weight[outlier] = 3000.0  # that no text has, and that sets the scale
    network.save_pretrained(tmp_path / "network")
    reader.save_pretrained(tmp_path / "network")
    data = write(tmp_path / "claims.csv", [*rows, *rare])
    given = ("--data", data, "--run", tmp_path / "run", "--artifacts", "onnx", "onnx-int8", *THREADS, "--json")
    found = subarch("export", tmp_path / "network", *given, "--max-drop", "100").json
    plain, small = found["parity"]
    assert plain["passed"] and plain["lost"] == []
    assert not small["passed"] and small["lost"] == ["fraud"] and "'fraud'" in small["reason"]
    assert found["chosen"] == "onnx"


def test_another_file_judges_on_most_of_its_rows(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    other = write(tmp_path / "other.csv", [*reviews(50, seed=7)])
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    given = ("--run", tmp_path / "run", "--artifacts", "onnx", *THREADS, "--json")
    found = subarch("export", checkpoint, "--data", other, *given).json
    assert found["examples"] == 40 and found["judged_on"] == f"rows of {other}"


def test_another_label_or_text_is_another_export(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [*reviews(50, seed=7)]
    other = write(tmp_path / "other.csv", rows)
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    given = ("--data", other, "--run", tmp_path / "run", "--artifacts", "onnx", *THREADS, "--json")
    once = subarch("export", checkpoint, *given).json
    assert subarch("export", checkpoint, *given).json == once
    swapped = {"praise": "blame", "blame": "praise"}
    write(other, [(text, swapped[label]) for text, label in rows])
    again = subarch("export", checkpoint, *given).json
    assert again["identity"] != once["identity"]
    (before,), (after,) = once["parity"], again["parity"]
    assert after["metric"] == pytest.approx(1 - before["metric"])


def test_what_no_labels_judge_stays_in_floats(subarch: Command, tmp_path: Path) -> None:
    torch.manual_seed(0)
    BertForMaskedLM(config()).save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    given = ("--run", tmp_path / "run", "--artifacts", "onnx", "onnx-int8", *THREADS, "--json")
    found = subarch("export", tmp_path / "model", *given).json
    assert found["chosen"] == "onnx" and found["head"] == "masked-lm"
    assert [row["passed"] for row in found["parity"]] == [True, False]
    with pytest.raises(ValueError, match="answers no texts"):
        Predictor.from_pretrained(tmp_path / "run" / "export")


def test_an_encoder_gives_embeddings(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    encoder = tuned[1].parent / "encoder"
    subarch("export", encoder, "--run", tmp_path / "run", "--artifacts", "onnx", *THREADS)
    predictor = Predictor.from_pretrained(tmp_path / "run" / "export")
    model, texts = BertModel.from_pretrained(encoder).eval(), ["good film", "the film is a very long story"]
    found = predictor.embed(texts)
    for text, one in zip(texts, found, strict=True):
        with torch.no_grad():
            states = model(**tokenizer()(text, return_tensors="pt")).last_hidden_state[0]
        assert one == pytest.approx(states.mean(0).numpy(), abs=1e-4)
    with pytest.raises(ValueError, match="gives no labels"):
        predictor(texts)


def test_killed_the_same_command_ends_the_same(tuned: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned[1] / "finetune", run / "finetune")
    command = [sys.executable, "-m", "subarch", "export", "--run", str(run), *FORMS, *THREADS, "--json"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (run / "export.unfinished" / "model.onnx").is_file():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (run / "export").exists()
    subprocess.run(command, check=True, capture_output=True)
    undisturbed, again = (
        {name: data for name, data in content(folder).items() if name.endswith((".onnx", ".bin", ".xml"))}
        for folder in (tuned[1] / "export", run / "export")
    )
    assert undisturbed.keys() == again.keys() and not (run / "export.unfinished").exists()
    assert again["model_quantized.onnx"] == undisturbed["model_quantized.onnx"]


@pytest.mark.parametrize("how", ["cut off", "changed", "missing"])
def test_damaged_exports_are_refused(exported: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(exported, tmp_path / "export")
    file = tmp_path / "export" / "model.onnx"
    whole = file.read_bytes()
    file.unlink()
    if how != "missing":
        file.write_bytes(whole[:-100] if how == "cut off" else whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="export it again"):
        Predictor.from_pretrained(tmp_path / "export", artifact="onnx")


@pytest.mark.parametrize("given", [(), ("--artifact", "openvino-int8")])
def test_evaluate_and_predict_read_an_export(
    subarch: Command, tuned: tuple[Path, Path], exported: Path, tmp_path: Path, given: tuple[str, ...]
) -> None:
    data, run = tuned
    checkpoint = run / "finetune" / "reviews" / "checkpoint"
    form = given[1] if given else json.loads((exported / "export.json").read_text())["chosen"]
    found = subarch("evaluate", exported, "--data", data, *given, *THREADS, "--json").json
    assert (found["split"], found["examples"], found["artifact"]) == ("sealed", 30, form)
    sealed = task_again(data, Purpose.read(exported), "it").sealed.open()
    predictor = Predictor.from_pretrained(exported, artifact=form, threads=1)
    names = predictor.label_names
    answered = [one["label"] for one in predictor([example.first for example in sealed])]
    right = [one == names[int(label)] for one, label in zip(answered, sealed.labels, strict=True)]
    assert found["metrics"]["accuracy"] == pytest.approx(np.mean(right))
    new = write(tmp_path / "new.csv", [(text,) for text, _ in reviews(20, seed=3)], ("text",))
    said = {}
    for model, more in ((exported, given), (checkpoint, ())):
        out = tmp_path / f"{model.name}.jsonl"
        told = subarch("predict", model, "--data", new, "--output", out, *more, *THREADS, "--json").json
        assert told["examples"] == 20 and told.get("artifact") == (form if model == exported else None)
        said[model] = [json.loads(line) for line in out.read_text().splitlines()]
    for one, other in zip(said[exported], said[checkpoint], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=0.1)
    refused(subarch("predict", checkpoint, "--data", new, "--artifact", "onnx"), "--artifact onnx")
    refused(subarch("predict", exported, "--data", new, "--artifact", "openvino"), "onnx-int8", "'openvino'")
    refused(subarch("predict", exported, "--data", new, "--threads", "0"), "--threads")


def test_a_damaged_export_is_made_again(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned[1] / "finetune", run / "finetune")
    given = ("--run", run, "--artifacts", "onnx", *THREADS)
    subarch("export", *given)
    whole = (run / "export" / "model.onnx").read_bytes()
    (run / "export" / "model.onnx").write_bytes(whole[:1000])
    subarch("export", *given)
    assert (run / "export" / "model.onnx").read_bytes() == whole


def test_wrong_input(subarch: Command, tuned: tuple[Path, Path], tmp_path: Path) -> None:
    data, run = tuned
    out = ("--run", tmp_path / "run", *THREADS)
    checkpoint = run / "finetune" / "reviews" / "checkpoint"
    refused(subarch("export"), "MODEL or --run")
    refused(subarch("export", tmp_path / "nowhere", *out), "nowhere")
    refused(subarch("export", "--run", tmp_path), "no fine-tuned and no pre-trained checkpoint")
    refused(subarch("export", checkpoint, *out, "--max-drop", "-1"), "--max-drop")
    refused(subarch("export", checkpoint, *out, "--sequence-length", "4096"), "positions for", "--sequence-length 4096")
    refused(subarch("export", run.parent / "encoder", *out, "--data", data), "no head for a task")
    labels = write(tmp_path / "labels.csv", [("good", "yes"), ("bad", "no")] * 10)
    refused(subarch("export", checkpoint, *out, "--data", labels), "yes")
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:1000])
    refused(subarch("export", broken, *out), "cannot be loaded")
    BertForSequenceClassification(config(vocab_size=10)).save_pretrained(tmp_path / "small")
    tokenizer().save_pretrained(tmp_path / "small")
    refused(subarch("export", tmp_path / "small", *out), "do not belong together")
    assert not (tmp_path / "run").exists()


def test_a_runtime_that_is_not_there_is_named(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # as where it is not installed
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    ran = subarch("export", checkpoint, "--run", tmp_path / "asked", "--artifacts", "openvino", *THREADS)
    refused(ran, "subarch[openvino]")
    found = subarch("export", checkpoint, "--run", tmp_path / "all", *THREADS, "--json").json
    assert found["chosen"].startswith("onnx") and all(name.startswith("openvino") for name in found["missing"])


def test_the_report_shows_what_came_after_a_search(subarch: Command, tuned: tuple[Path, Path], exported: Path) -> None:
    page = Path(subarch("report", tuned[1], "--json").json["path"]).read_text(encoding="utf-8")
    known = json.loads((exported / "export.json").read_text())
    for text in ("What runs fastest here", known["reason"], "Fine-tuning: ", *FORMS[1:]):
        assert escape(text, quote=False) in page, text
    assert '"export-times"' in page  # its figure
    refused(subarch("report", exported.parent.parent / "encoder"), "extract.json")


# --- bench ------------------------------------------------------------------------------------------------------------


def test_bench_times_everything_beside_the_reference(
    subarch: Command, tuned: tuple[Path, Path], tmp_path: Path
) -> None:
    small = tmp_path / "small.json"
    small.write_text(json.dumps(config().to_dict()))
    large = tmp_path / "large.json"
    large.write_text(json.dumps(config(hidden_size=128, intermediate_size=512, num_hidden_layers=6).to_dict()))
    given = ("--against", large, "--run", tmp_path / "run", "--threads", "1", "--rounds", "2", "--no-memory")
    cells = ("--sequence-length", "8", "32", "--batch-size", "1", "2")
    found = subarch("bench", small, *given, *cells, "--json").json
    assert len(found["rows"]) == 4 * (1 + 5) and found["cpu"]["name"]
    for row in found["rows"]:
        assert {"name", "runtime", "precision", "threads", "p50_ms", "p95_ms", "ratio", "size_bytes"} <= set(row)
        base = next(
            one
            for one in found["rows"]
            if one["name"] == str(large) and all(one[k] == row[k] for k in ("threads", "batch_size", "sequence_length"))
        )
        assert row["ratio"] == pytest.approx(base["p50_ms"] / row["p50_ms"])
    assert json.loads((tmp_path / "run" / "benchmark.json").read_text())["rows"] == found["rows"]
    assert not (tmp_path / "run" / ".artifacts").exists()
    page = Path(subarch("report", tmp_path / "run", "--json").json["path"]).read_text(encoding="utf-8")
    assert '"bench-ratios"' in page and found["cpu"]["name"] in page
    # What is there is not measured again, and a bench of something else is refused.
    assert subarch("bench", small, *given, *cells, "--json").json["rows"] == found["rows"]
    refused(subarch("bench", small, *given, "--sequence-length", "16"), "other options")
    # Where the run was moved, what lies in it goes by another name: it is measured anew instead of refused.
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = ("--against", large, "--run", tmp_path / "moved", "--threads", "1", "--rounds", "2", "--no-memory")
    again = subarch("bench", small, *moved, "--sequence-length", "16", "--runtime", "pytorch", "--json").json
    assert {row["sequence_length"] for row in again["rows"]} == {16}


def test_bench_takes_an_export_as_it_is(
    subarch: Command, tuned: tuple[Path, Path], exported: Path, tmp_path: Path
) -> None:
    checkpoint = tuned[1] / "finetune" / "reviews" / "checkpoint"
    given = ("--against", checkpoint, "--threads", "1", "--rounds", "1", "--sequence-length", "8", "--json")
    runtimes = ("--runtime", "onnxruntime", "--run", tmp_path / "run")
    found = subarch("bench", tuned[1], *given, *runtimes).json
    sizes = {row["precision"]: row["size_bytes"] for row in found["rows"] if row["runtime"] == "onnxruntime"}
    assert sizes["int8"] == (exported / "model_quantized.onnx").stat().st_size
    assert all(row["peak_memory_bytes"] > 0 for row in found["rows"])
