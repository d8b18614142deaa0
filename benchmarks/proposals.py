"""Proposals by a masked language model: 10,000 texts of 64 tokens, beside nlpaug's contextual augmenter.

The model has MiniLM's shape (6 x 384, 22.7 million parameters with its vocabulary) and random weights: they change what
is proposed, not how long it takes. Texts are prose cut to 64 tokens. Both libraries replace between a tenth and three
tenths of a text's tokens (nlpaug: a fifth). Generation alone is timed; filters and labelling are not in it. nlpaug runs
in an environment of its own (--nlpaug PYTHON), on fewer of the same texts, with its batch size, in turns with ours.

    python -m venv other && other/bin/pip install torch 'transformers<5' nlpaug pandas requests gdown
    python benchmarks/proposals.py --corpus PROSE_FOLDER --nlpaug other/bin/python
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, BertForMaskedLM

from minilm import say, source
from results import Results
from subarch.learning.proposals.mask_fill import mask_fill
from subarch.networks.inspection import preset_config
from subarch.networks.stock import stock_config
from subarch.text.corpora import open_corpus
from subarch.text.examples import Example

TEXTS, EACH, LENGTH = 500, 20, 64
_OTHER = """
import json, sys, time, torch
import nlpaug.augmenter.word as naw
folder, file, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
texts = json.load(open(file))
augmenter = naw.ContextualWordEmbsAug(
    model_path=folder, model_type="bert", action="substitute", aug_p=0.2, aug_min=1, aug_max=None, device="cpu",
    batch_size=batch)
augmenter.augment(texts[:2])
began = time.perf_counter()
found = augmenter.augment(texts)
print(json.dumps({"seconds": time.perf_counter() - began, "texts": len(found)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--nlpaug", type=Path, default=None, help="python of an environment with nlpaug")
    parser.add_argument("--run", type=Path, default=Path("runs/proposals"))
    parser.add_argument("--others", type=int, default=100, help="texts that nlpaug augments")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(source())
    model = BertForMaskedLM(stock_config(preset_config("minilm-l6-h384"))).eval()
    folder = arguments.run / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    texts = _texts(arguments.corpus, tokenizer)
    file = arguments.run / "texts.json"
    file.write_text(json.dumps(texts[: arguments.others]), encoding="utf-8")
    propose = mask_fill(model, tokenizer, length=LENGTH)
    examples = [Example(text) for text in texts]
    ours: list[float] = []
    theirs: dict[int, list[float]] = {32: [], 1: []}
    for n in range(arguments.repeats):
        began = time.perf_counter()
        count = sum(1 for _ in propose(examples, EACH, np.random.default_rng(n)))
        ours.append((time.perf_counter() - began) / count)
        say("ours", done=n + 1, total=arguments.repeats, note=f"{count} in {ours[-1] * count:.1f} s")
        for batch, seconds in theirs.items() if arguments.nlpaug else ():
            line = [str(arguments.nlpaug), "-c", _OTHER, str(folder), str(file), str(batch), str(arguments.threads)]
            answer = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            found = json.loads(answer)
            seconds.append(found["seconds"] / found["texts"])
            say("nlpaug", done=n + 1, total=arguments.repeats, note=f"batch {batch}: {found}")
    results = Results("proposals", __doc__ or "")
    base = statistics.median(ours)
    row = {"generator": "mask_fill", "batch": "by length", "ms_a_text": 1000 * base, "seconds_for_10000": 10_000 * base}
    results.row("Generation", {**row, "ours_is_faster": 1.0})
    for batch, seconds in theirs.items():
        if seconds:
            each = statistics.median(seconds)
            row = {"generator": "nlpaug", "batch": batch, "ms_a_text": 1000 * each, "seconds_for_10000": 10_000 * each}
            results.row("Generation", {**row, "ours_is_faster": each / base})
    size = sum(weights.numel() for weights in model.parameters())
    results.note(
        f"{size / 1e6:.1f} million parameters; {arguments.threads} threads; medians of {arguments.repeats} runs."
    )
    results.write()


def _texts(corpus: Path, tokenizer: object) -> list[str]:
    """Prose cut to 64 tokens."""
    found: list[str] = []
    for document in islice(open_corpus(corpus).documents(), 4 * TEXTS):
        ids = tokenizer(document, truncation=True, max_length=LENGTH, add_special_tokens=False)["input_ids"]  # type: ignore[operator]
        if len(ids) == LENGTH:
            found.append(tokenizer.decode(ids[: LENGTH - 2]))  # type: ignore[attr-defined]
        if len(found) == TEXTS:
            break
    return found


if __name__ == "__main__":
    main()
