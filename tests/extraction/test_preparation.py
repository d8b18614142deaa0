"""A smaller source says the same on its texts, is made once, and is what a search, its counts and its proof are of."""

from __future__ import annotations

import doctest
import json
import logging
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from candidates import SPACE, checkpoint, sentence
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
)

from commands import Command, content, refused
from subarch.extraction import preparation
from subarch.extraction.preparation import FILE, FOLDER, trim
from subarch.jobs.extraction import extract
from subarch.jobs.pretraining import pretrain
from subarch.jobs.starts import open_start
from subarch.jobs.verification import verify_run
from subarch.networks import trimming
from subarch.networks.checkpoints import open_checkpoint
from subarch.options.pretraining import PretrainOptions
from subarch.options.search import ExtractOptions
from subarch.options.tasks import TaskOptions
from subarch.tasks.loading import opened_task
from subarch.text import pieces
from subarch.text.tokenizers import train_tokenizer

PLAIN = [sentence(random.Random(n)) for n in range(400)]
MORE = [f"{word} zephyr quixotic jugglers vex {word}" for word in ("seldom", "often", "never")] * 20


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier and a language model that know words of two kinds of text."""
    folder = tmp_path_factory.mktemp("sources")
    tokenizer = train_tokenizer([*PLAIN, *MORE], 600)
    size = len(tokenizer) + 2  # rows that no piece has, as published networks often have some
    checkpoint(BertForSequenceClassification, folder / "classes", tokenizer, vocab_size=size, num_labels=3)
    checkpoint(BertForMaskedLM, folder / "words", tokenizer, vocab_size=size)
    (folder / "texts.txt").write_text("\n".join(PLAIN) + "\n")
    (folder / "space.json").write_text(json.dumps(SPACE))
    return folder


def say(folder: Path, kind: Any, text: str) -> torch.Tensor:
    with torch.no_grad():
        inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        return kind.from_pretrained(folder).eval()(**inputs).logits


def test_it_says_the_same_on_its_texts(sources: Path, tmp_path: Path) -> None:
    found = trim(sources / "classes", iter(PLAIN), tmp_path / "small")
    for text in (*PLAIN[:5], "again " + PLAIN[7]):
        folders = (sources / "classes", tmp_path / "small")
        ours, theirs = (say(one, AutoModelForSequenceClassification, text) for one in folders)
        torch.testing.assert_close(theirs, ours, rtol=1e-6, atol=1e-6)
    whole, small = (open_checkpoint(folder) for folder in (sources / "classes", tmp_path / "small"))
    rows = [one.config["vocab_size"] for one in (whole, small)]
    assert (found.pieces, found.pieces_before) == (rows[1], rows[0] - 2)
    assert found.parameters_before - found.parameters == 32 * (rows[0] - rows[1])
    assert {**whole.config, "vocab_size": rows[1]} == small.config and not small.left
    assert found.characters == sum(map(len, PLAIN)) and found.fingerprint == whole.fingerprint
    assert json.loads((tmp_path / "small" / FILE).read_text()) == found.to_json()


def test_logits_of_the_words_that_stay(sources: Path, tmp_path: Path) -> None:
    trim(str(sources / "words"), PLAIN, tmp_path / "small")
    whole, small = (AutoTokenizer.from_pretrained(one).get_vocab() for one in (sources / "words", tmp_path / "small"))
    old = [whole[piece] for piece in sorted(small, key=small.__getitem__)]
    text = PLAIN[3].replace("again", "[MASK]")
    ours, theirs = (say(one, AutoModelForMaskedLM, text) for one in (sources / "words", tmp_path / "small"))
    torch.testing.assert_close(theirs, ours[..., old], rtol=1e-6, atol=1e-6)


def test_what_other_texts_turn_into_is_told_of_an_eighth(sources: Path, tmp_path: Path) -> None:
    alike = trim(sources / "classes", PLAIN, tmp_path / "alike")
    assert 0 < alike.held_out_tokens < sum(len(text.split()) + 1 for text in PLAIN) / 4
    assert alike.resplit < 0.01  # a language of a few dozen words
    apart = trim(sources / "classes", [*PLAIN, "0 seldom zephyr quixotic jugglers vex"], tmp_path / "apart")
    assert apart.held_out_tokens != alike.held_out_tokens and apart.resplit > alike.resplit


def test_it_is_made_once(sources: Path, tmp_path: Path) -> None:
    (tmp_path / ".small.part").mkdir()
    (tmp_path / ".small.part" / "config.json").write_text("what a killed process has left")
    first = trim(sources / "classes", PLAIN, tmp_path / "small")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "small").iterdir()}
    assert trim(sources / "classes", PLAIN, tmp_path / "small") == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "small").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    for texts, source in ((PLAIN[1:], "classes"), (PLAIN, "words")):
        with pytest.raises(ValueError, match="was made of another source or other texts"):
            trim(sources / source, texts, tmp_path / "small")


def test_few_texts_are_said_once_unless_documentation_is_added(
    sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = preparation.installed_documentation()[:300]  # all of it are 20 million characters
    monkeypatch.setattr(preparation, "installed_documentation", lambda: some)
    texts = [f"{text} {tmp_path.name}" for text in PLAIN]
    alone = trim(sources / "classes", texts, tmp_path / "alone")
    trim(sources / "classes", texts, tmp_path / "alone")
    told = [message for message in caplog.messages if "are few" in message]
    assert len(told) == 1 and f"{alone.characters:,} characters" in told[0]
    also = trim(sources / "classes", texts, tmp_path / "also", documentation=True)
    assert also.documentation and alone.pieces < also.pieces and also.characters == alone.characters


@pytest.mark.parametrize("texts", [[], [""]])
def test_without_texts(sources: Path, tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(ValueError, match="got none"):
        trim(sources / "classes", texts, tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_another_kind_of_tokenizer_is_refused_by_name(sources: Path, tmp_path: Path) -> None:
    shutil.copytree(sources / "classes", tmp_path / "source")
    words = {"[UNK]": 0, "the": 1, "river": 2}
    level = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=level, unk_token="[UNK]").save_pretrained(tmp_path / "source")
    with pytest.raises(ValueError, match="WordLevel"):
        trim(tmp_path / "source", PLAIN, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_the_examples_run() -> None:
    for module in (preparation, pieces, trimming):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed, module.__name__


# ------------------------------------------------------------------------------------------------------- the search


ASKED = {"vocabulary": "texts", "steps": "2", "epsilon": 0.5, "held_out": 32, "sequence_length": 32}


def asked(sources: Path, run: Path, **more: Any) -> ExtractOptions:
    return ExtractOptions(
        source=str(sources / "classes"),
        run=run,
        space=sources / "space.json",
        **{**ASKED, "texts": sources / "texts.txt", **more},
    )


@pytest.fixture(scope="module")
def run(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    extract(asked(sources, folder))
    return folder


def test_every_figure_is_of_the_smaller_source(sources: Path, run: Path) -> None:
    found = extract(asked(sources, run))
    cut = found.vocabulary
    assert cut is not None and found.source.name == cut.source == str(sources / "classes")
    whole = 2 * (4 * (32 * 32 + 32) + 2 * 32 * 64 + 64 + 32 + 4 * 32)  # two layers
    assert found.source.parameters == whole + 32 * (cut.pieces + 64 + 2 + 2)
    config = json.loads((run / "architecture.json").read_text())
    assert config["vocab_size"] == cut.pieces
    error = found.certificate.objectives["error"]
    assert error["vocabulary"] == cut.to_json()
    assert error["weights"] == open_checkpoint(run / FOLDER).fingerprint
    assert json.loads((run / "manifest.json").read_text())["options"]["vocabulary"] == "texts"
    assert found.to_json()["vocabulary"]["pieces"] == cut.pieces
    for told in (str(found), (run / "report.html").read_text()):
        assert f"{cut.pieces} of {cut.pieces_before} pieces" in told


def test_the_same_command_goes_on(sources: Path, run: Path) -> None:
    before = content(run / FOLDER)
    trained, more = (
        [(one.number, one.error) for one in extract(asked(sources, run, epsilon=epsilon)).trained]
        for epsilon in (0.5, 0.4)
    )
    assert set(trained) <= set(more)
    assert content(run / FOLDER) == before
    with pytest.raises(ValueError, match="another --run"):
        extract(asked(sources, run, vocabulary_texts=(sources / "texts.txt",)))
    extract(asked(sources, run))  # what was asked of it first stands there for whoever comes next


def test_it_is_verified_also_elsewhere(sources: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "moved")
    found = verify_run(tmp_path / "moved", retrain=1, audit=1)
    assert found.accepted, found.reason
    certificate = json.loads((tmp_path / "moved" / "certificate.json").read_text())
    certificate["objectives"]["error"]["vocabulary"]["pieces"] -= 1
    (tmp_path / "moved" / "certificate.json").write_text(json.dumps(certificate))
    assert not verify_run(tmp_path / "moved").accepted
    shutil.copytree(run, tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / FOLDER)
    with pytest.raises(ValueError, match="expected the source with the pieces of the texts alone"):
        verify_run(tmp_path / "other", retrain=1)


def test_the_student_is_pretrained_from_it(run: Path, tmp_path: Path, sources: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n\n".join(PLAIN))
    pretrain(PretrainOptions(run=tmp_path / "run", corpus=corpus, steps=2, batch_size=2, sequence_length=16, threads=1))
    student = open_checkpoint(tmp_path / "run" / "pretrain")
    assert student.config["vocab_size"] == open_checkpoint(run / FOLDER).config["vocab_size"]
    ours, theirs = (AutoTokenizer.from_pretrained(one) for one in (run / FOLDER, tmp_path / "run" / "pretrain"))
    assert ours.get_vocab() == theirs.get_vocab()


def test_a_student_without_pretraining_is_a_part_of_it(run: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": "often" if "river" in text else "seldom"} for text in PLAIN]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = opened_task(TaskOptions(data=tmp_path / "rows.jsonl"))
    start = open_start(None, run, task, 32)
    assert start.words.endswith(f"inherited from {run / FOLDER}")
    pieces_left = open_checkpoint(run / FOLDER).config["vocab_size"]
    assert start.learner.make(0).config.vocab_size == len(start.learner.tokenizer) == pieces_left


def test_labelled_data_give_the_texts_of_their_training_rows(sources: Path, tmp_path: Path) -> None:
    rows = [{"text": text, "label": "often" if "river" in text else "seldom"} for text in PLAIN]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = asked(sources, tmp_path / "run", texts=None, data=str(tmp_path / "rows.jsonl"), budget="3")
    found = extract(options).vocabulary
    assert found is not None and 0 < found.texts < len(set(PLAIN))


def test_other_texts_count_too(sources: Path, tmp_path: Path, run: Path) -> None:
    (tmp_path / "more.txt").write_text("\n".join(MORE[:3]))
    found = extract(asked(sources, tmp_path / "run", vocabulary_texts=(tmp_path / "more.txt",), budget="2")).vocabulary
    known = json.loads((run / FOLDER / FILE).read_text())
    assert found is not None and found.texts == known["texts"] + 3 and found.pieces > known["pieces"]


def test_what_cannot_be_done_leaves_nothing_behind(sources: Path, tmp_path: Path, subarch: Command) -> None:
    asked_for = ["extract", sources / "classes", "--vocabulary", "texts", "--run", tmp_path / "run"]
    refused(subarch(*asked_for), "--vocabulary texts keeps the pieces that your texts use, and there are none")
    refused(subarch(*asked_for, "--texts", tmp_path / "absent.txt"), "absent.txt")
    refused(subarch(*asked_for, "--corpus", sources / "texts.txt", "--tokenizer", sources / "words"), "leave one away")
    refused(
        subarch("extract", "bort", *asked_for[2:], "--corpus", sources / "texts.txt"), "needs a source with weights"
    )
    refused(
        subarch(*asked_for, "--texts", sources / "texts.txt", "--sequence-length", "32", "--max-parameters", "10"),
        "no architecture",
    )
    without = ["extract", sources / "classes", "--vocabulary-texts", sources / "texts.txt"]
    refused(subarch(*without, "--run", tmp_path / "run"), "--vocabulary-texts are read with --vocabulary texts alone")
    assert not (tmp_path / "run").exists()


def test_by_default_all_pieces_stay(sources: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = extract(replace(asked(sources, tmp_path / "run"), vocabulary=None, budget="2"))
    assert found.vocabulary is None and "vocabulary" not in found.to_json() and not (tmp_path / "run" / FOLDER).exists()
