"""Pre-training as a job: it resumes bit for bit, divides over processes, and leaves a stock checkpoint or nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import config
from transformers import AutoModelForMaskedLM, BertForMaskedLM, BertModel, TrainerCallback

from subarch.learning.pretraining import Pretrained, pretrain
from subarch.learning.teachers import Losses
from subarch.options.pretraining import PretrainSettings
from subarch.text.tokenizers import train_tokenizer

SETTINGS = PretrainSettings(
    steps=12, batch_size=4, sequence_length=32, held_out=8, save_every=4, log_every=2, learning_rate=2e-3, workers=0
)
ARCHITECTURE = config(vocab_size=300, num_hidden_layers=1).to_dict()
WORDS = ("good", "late", "odd")
TEXTS = [f"The {n}th rule says: if a {word} is {n * n} it is not {word}ly." for n in range(150) for word in WORDS]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "rules.txt"
    file.write_text("\n\n".join(TEXTS))
    return file


def decided(model: Any) -> Any:
    """A network whose distributions and relations are far from uniform, unlike a fresh one's."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, with a head, and the tokenizer that the students here read with."""
    folder = tmp_path_factory.mktemp("teacher")
    decided(BertForMaskedLM(config(vocab_size=300))).save_pretrained(folder)
    train_tokenizer(TEXTS, 300).save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, corpus: Path, cache: Path) -> Any:
    def made(
        name: str = "job", settings: PretrainSettings = SETTINGS, architecture: Any = ARCHITECTURE, **given: Any
    ) -> Pretrained:
        options = {"settings": settings, "corpus": corpus, "cache": cache} | given
        return pretrain(tmp_path / name, architecture, **options)

    return made


def log(result: Pretrained) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.checkpoint / "log.jsonl").read_text().splitlines()]


def curve(result: Pretrained) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in log(result) if "loss" in record}


def weights(result: Pretrained) -> dict[str, torch.Tensor]:
    return load_file(result.checkpoint / "model.safetensors")


def equal(one: Pretrained, other: Pretrained) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class Breaking(TrainerCallback):
    """Ends a run in the middle of a step, as a mistake in the code or Ctrl-C does."""

    def __init__(self, step: int, error: BaseException) -> None:
        self.step, self.error = step, error

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise self.error


# --- the result -------------------------------------------------------------------------------------------------------


def test_a_language_model_comes_out(run: Any) -> None:
    stages: list[tuple[str, int, int | None]] = []

    def watch(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
        stages.append((stage, done, total))

    result = run(watch=watch)
    losses = curve(result)
    assert list(losses) == [2, 4, 6, 8, 10, 12]
    assert losses[12] < losses[2]
    assert result.tokens == pytest.approx(12 * 4 * 32, rel=0.02)
    assert result.tokens_per_second > 0
    held_out = [record for record in log(result) if "held_out_loss" in record]
    assert held_out[-1] == {"step": 12, "held_out_loss": result.loss, "masked_accuracy": result.accuracy}
    assert stages[-1] == ("pre-training", 12, 12)
    assert sorted(path.name for path in (result.checkpoint / "checkpoints").iterdir()) == [
        "step-000000008",
        "step-000000012",
    ]
    assert not (result.checkpoint / ".writing").exists()
    # Called again, the finished result is given at once.
    assert run(watch=watch) == result
    assert stages[-1] == ("pre-training", 12, 12)


def test_the_checkpoint_is_stock(run: Any) -> None:
    result = run(losses=None)
    made: Any = AutoModelForMaskedLM.from_pretrained(result.checkpoint)
    assert made.config.hidden_dropout_prob == ARCHITECTURE["hidden_dropout_prob"]
    assert made.config.use_cache == ARCHITECTURE["use_cache"]
    tokens = torch.arange(5, 20)[None]
    expected = made(input_ids=tokens).logits[0, 3].tolist()
    code = (
        "import json, sys, torch\n"
        "from transformers import AutoModelForMaskedLM, pipeline\n"
        "made = AutoModelForMaskedLM.from_pretrained(sys.argv[1])\n"
        "logits = made(input_ids=torch.arange(5, 20)[None]).logits[0, 3].tolist()\n"
        "filled = pipeline('fill-mask', sys.argv[1])('The rule is [MASK].')\n"
        "assert not [name for name in sys.modules if name.startswith('subarch')]\n"
        "print(json.dumps([logits, len(filled)]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(result.checkpoint)], capture_output=True, text=True, check=True
    )
    logits, filled = json.loads(ran.stdout.splitlines()[-1])
    assert logits == pytest.approx(expected, abs=1e-5)
    assert filled == 5


@pytest.mark.parametrize(
    ("losses", "parts"),
    [
        (None, {"mlm", "logits"}),
        (Losses(mlm=1.0, relations=1.0, states=1.0), {"mlm", "relations", "states"}),
        (Losses(logits=1.0, states=1.0), {"mlm", "logits", "states"}),
    ],
)
def test_a_student_learns_from_a_teacher(run: Any, teacher: Path, losses: Losses | None, parts: set[str]) -> None:
    narrow = config(vocab_size=300, hidden_size=24, num_hidden_layers=1).to_dict()
    result = run(teacher=str(teacher), losses=losses, architecture=narrow)
    records = [record for record in log(result) if "loss" in record]
    assert parts == {"mlm", "logits", "relations", "states"} & records[0].keys()
    settled = result.losses
    for record in records:
        assert record["loss"] == pytest.approx(sum(settled[part] * record[part] for part in parts), rel=1e-4)
    for part in parts:
        assert records[-1][part] < records[0][part] or not settled[part]
    made = weights(result)
    assert not any("bridge" in name for name in made)


def test_a_student_learns_from_a_teacher_of_another_tokenizer(run: Any, tmp_path: Path) -> None:
    decided(BertModel(config(vocab_size=400))).save_pretrained(tmp_path / "other")
    train_tokenizer([text.upper() for text in TEXTS[:30]], 350, model="bpe").save_pretrained(tmp_path / "other")
    longer = dataclasses.replace(SETTINGS, steps=40, log_every=10)
    result = run(settings=longer, teacher=str(tmp_path / "other"), losses=Losses(mlm=1.0, relations=1.0, states=1.0))
    records = [record for record in log(result) if "loss" in record]
    assert records[-1]["relations"] < records[0]["relations"]
    assert records[-1]["states"] < records[0]["states"]


@pytest.mark.parametrize("headless", [False, True])
def test_a_student_inherits(run: Any, teacher: Path, tmp_path: Path, headless: bool) -> None:
    source = teacher
    if headless:
        source = tmp_path / "headless"
        BertModel.from_pretrained(teacher).save_pretrained(source)
        train_tokenizer(TEXTS, 300).save_pretrained(source)
    # Of the source's own shape it is a copy, and hardly moved by one tiny step.
    still = dataclasses.replace(SETTINGS, steps=1, learning_rate=1e-12)
    result = run(
        initialize="inherit", source=str(source), architecture=config(vocab_size=300).to_dict(), settings=still
    )
    made, theirs = weights(result), load_file(source / "model.safetensors")
    prefix = "bert." if headless else ""
    shared = {name: value for name, value in theirs.items() if prefix + name in made}
    assert len(shared) > 30
    for name, value in shared.items():
        assert torch.allclose(made[prefix + name], value, atol=1e-6), name
    smaller = run("small", initialize="inherit", source=str(source), settings=still)
    assert weights(smaller)["bert.embeddings.word_embeddings.weight"].shape == (300, 32)


# --- on from where it stopped -----------------------------------------------------------------------------------------


def test_a_broken_run_goes_on_bit_for_bit(run: Any, teacher: Path) -> None:
    given = {"teacher": str(teacher), "losses": Losses(mlm=1.0, logits=1.0, states=0.5), "architecture": ARCHITECTURE}
    settings = dataclasses.replace(SETTINGS, dropout=0.1, evaluate_every=3, whole_words=True, batch_size=6)
    whole = run("whole", settings, **given)
    with pytest.raises(RuntimeError, match=r"at step 3 .*not there yet.*the same call goes on") as broken:
        run("broken", settings, **given, callbacks=[Breaking(3, ValueError("a mistake"))])
    assert "a mistake" in str(broken.value)
    with pytest.raises(RuntimeError, match=r"at step 7 .*step-000000004"):
        run("broken", settings, **given, callbacks=[Breaking(7, ValueError("a mistake"))])
    with pytest.raises(KeyboardInterrupt):
        run("broken", settings, **given, callbacks=[Breaking(12, KeyboardInterrupt())])
    resumed = run("broken", settings, **given)
    assert equal(resumed, whole)
    assert (resumed.loss, resumed.accuracy, resumed.tokens) == (whole.loss, whole.accuracy, whole.tokens)
    assert curve(resumed) == curve(whole)


def test_a_run_that_ended_after_its_last_checkpoint_is_finished(run: Any, tmp_path: Path) -> None:
    whole = run("whole")
    run("late")
    for name in ("result.json", "config.json", "model.safetensors"):
        (tmp_path / "late" / name).unlink()
    assert equal(run("late"), whole)


def test_what_was_not_finished_is_cleared_away(run: Any, tmp_path: Path) -> None:
    whole = run("whole")
    with pytest.raises(RuntimeError):
        run("torn", callbacks=[Breaking(6, ValueError())])
    cut = tmp_path / "torn" / ".writing" / "checkpoint-8"
    cut.mkdir(parents=True)
    (cut / "model.safetensors").write_bytes(b"half")
    with (tmp_path / "torn" / "log.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    assert equal(run("torn"), whole)


def test_another_call_in_the_same_folder_is_refused(run: Any) -> None:
    run()
    with pytest.raises(ValueError, match="begun with other values of learning_rate, steps"):
        run(settings=dataclasses.replace(SETTINGS, steps=13, learning_rate=1e-3))


def test_a_divergence_names_the_last_good_checkpoint(run: Any) -> None:
    wild = dataclasses.replace(SETTINGS, learning_rate=1e30, warmup=0.0, save_every=1, log_every=1)
    with pytest.raises(RuntimeError, match=r"(loss|grad_norm) is (nan|inf).*last good checkpoint is .*step-0"):
        run(settings=wild)


def test_a_full_disk_names_the_last_good_checkpoint(run: Any, tmp_path: Path) -> None:
    """Made by a limit on the size of files, which a small log does not meet."""
    import resource

    class Fill(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 6:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(RuntimeError, match=r"at step 8 .*last good checkpoint is .*step-000000004"):
            run("full", callbacks=[Fill()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert equal(run("full"), run("whole"))


SCRIPT = """
import sys, json, torch
from pathlib import Path
from subarch.learning.pretraining import pretrain
from subarch.options.pretraining import PretrainSettings
torch.set_num_threads(1)
arguments = json.loads(sys.argv[1])
result = pretrain(
    Path(arguments["folder"]), arguments["architecture"], settings=PretrainSettings(**arguments["settings"]),
    corpus=arguments["corpus"], cache=Path(arguments["cache"]), teacher=arguments["teacher"],
)
"""


def command(folder: Path, settings: PretrainSettings, corpus: Path, cache: Path, teacher: Path | None = None) -> str:
    return json.dumps(
        {
            "folder": str(folder),
            "architecture": ARCHITECTURE,
            "settings": dataclasses.asdict(settings),
            "corpus": str(corpus),
            "cache": str(cache),
            "teacher": teacher and str(teacher),
        }
    )


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_at_the_same_weights(run: Any, tmp_path: Path, corpus: Path, cache: Path) -> None:
    settings = dataclasses.replace(SETTINGS, steps=150, save_every=5)
    whole = run("whole", settings)
    arguments = [sys.executable, "-c", SCRIPT, command(tmp_path / "killed", settings, corpus, cache)]
    result = tmp_path / "killed" / "result.json"
    kills = 0
    while not result.exists():
        with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
            known = {path.name for path in (tmp_path / "killed").glob("checkpoints/*")}
            while process.poll() is None and not {p.name for p in (tmp_path / "killed").glob("checkpoints/*")} - known:
                time.sleep(0.01)
            time.sleep(0.003 * kills)  # here and there between two checkpoints
            if process.poll() is None and kills < 10:
                process.kill()
                kills += 1
            assert process.wait() in (0, -9), process.stderr and process.stderr.read()
    assert kills == 10
    assert equal(run("killed", settings), whole)


@pytest.mark.slow
@pytest.mark.parametrize("distilled", [False, True])
def test_two_processes_follow_the_curve_of_one(
    run: Any, tmp_path: Path, corpus: Path, cache: Path, teacher: Path, distilled: bool
) -> None:
    given = {"teacher": str(teacher)} if distilled else {}
    one = run("one", **given)
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = command(tmp_path / "two", SETTINGS, corpus, cache, teacher if distilled else None)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*launch, str(tmp_path / "script.py"), settings], check=True, capture_output=True, env=environment, timeout=300
    )
    two = run("two", **given)
    assert list(curve(two)) == list(curve(one))
    assert list(curve(two).values()) == pytest.approx(list(curve(one).values()), rel=1e-4)
    assert two.loss == pytest.approx(one.loss, rel=1e-4)
    assert two.tokens == one.tokens


def test_a_batch_taken_in_parts_gives_the_same_curve(run: Any, teacher: Path) -> None:
    given = {"teacher": str(teacher), "losses": Losses(mlm=1.0, logits=1.0, relations=1.0)}
    whole = run("whole", **given)
    parts = run("parts", dataclasses.replace(SETTINGS, device_tokens=32), **given)
    assert list(curve(parts).values()) == pytest.approx(list(curve(whole).values()), rel=1e-4)


def test_reports_get_the_parts_of_the_loss(run: Any) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = run(settings=dataclasses.replace(SETTINGS, report_to=("tensorboard",)))
    found = EventAccumulator(str(result.checkpoint / "tensorboard"))
    found.Reload()
    read = {scalar.step: scalar.value for scalar in found.Scalars("train/mlm")}
    assert read == pytest.approx(curve(result), rel=1e-5)
    assert "eval/held_out_loss" in found.Tags()["scalars"]


def test_mixed_precision_learns_too(run: Any) -> None:
    result = run(settings=dataclasses.replace(SETTINGS, precision="bfloat16"))
    losses = curve(result)
    assert losses[12] < losses[2]
    assert weights(result)["bert.embeddings.word_embeddings.weight"].dtype == torch.float32


# --- logits on disk ---------------------------------------------------------------------------------------------------


def test_logits_are_kept_and_used_again(run: Any, teacher: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, cached_logits=8)
    given = {"teacher": str(teacher), "cache": tmp_path / "cache"}
    first = run("first", settings, **given)
    file = next((tmp_path / "cache").glob("logits-*.bin"))
    kept = file.read_bytes()
    second = run("second", settings, **given)
    assert equal(first, second)
    assert file.read_bytes() == kept
    # Another seed has other masks, hence another file.
    run("third", dataclasses.replace(settings, seed=1), **given)
    assert len(list((tmp_path / "cache").glob("logits-*.bin"))) == 2


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"architecture": {"model_type": "gpt2"}}, "expected an encoder"),
        ({"architecture": {"hidden_size": 3}}, "model_type"),
        ({"initialize": "inherit"}, "name it, or a teacher"),
        ({"initialize": "inherit", "source": "bort"}, "preset 'bort'"),
        ({"source": "somewhere"}, "leave one of the two out"),
        ({"teacher": "no/such/teacher"}, "no folder"),
        ({"losses": Losses(mlm=1.0, states=1.0)}, "expected a teacher"),
        ({"settings": dataclasses.replace(SETTINGS, sequence_length=100)}, "positions for 64 tokens"),
        ({"settings": dataclasses.replace(SETTINGS, cached_logits=4)}, "cached_logits"),
        ({"settings": dataclasses.replace(SETTINGS, report_to=("nowhere",))}, "nowhere"),
        ({"tokenizer": "no/such/tokenizer"}, "expected a tokenizer"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    run: Any, tmp_path: Path, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        run(**given)
    assert not (tmp_path / "job" / "identity.json").exists()


def test_sources_and_tokenizers_that_do_not_fit_are_refused(run: Any, teacher: Path, tmp_path: Path) -> None:
    wide = config(vocab_size=300, hidden_size=64).to_dict()
    with pytest.raises(ValueError, match="cannot inherit"):
        run(initialize="inherit", source=str(teacher), architecture=wide)
    with pytest.raises(ValueError, match="vocab_size 300, got 400"):
        run(initialize="inherit", source=str(teacher), architecture=config().to_dict())
    train_tokenizer(TEXTS * 3, 350, model="bpe").save_pretrained(tmp_path / "large")
    with pytest.raises(ValueError, match="vocab_size is 300"):
        run(tokenizer=tmp_path / "large")
    with pytest.raises(ValueError, match="source's tokenizer"):
        run(initialize="inherit", source=str(teacher), tokenizer=tmp_path / "large")


def test_texts_that_cannot_be_read_are_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "cut.txt.xz").write_bytes(b"\xfd7zXZ\x00\x00\x04")
    for corpus, error in ((tmp_path / "cut.txt.xz", ValueError), (tmp_path / "missing", FileNotFoundError)):
        with pytest.raises(error):
            run(corpus=corpus)
    (tmp_path / "short.txt").write_text("A few words.")
    with pytest.raises(ValueError, match="longer corpus"):
        run(corpus=tmp_path / "short.txt")


@pytest.mark.parametrize(
    "given", [{"steps": 0}, {"warmup": 1.0}, {"learning_rate": 0.0}, {"sequence_length": 2}, {"dropout": 1.0}]
)
def test_recipes_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given)).replace("_", "-")):
        dataclasses.replace(SETTINGS, **given)
