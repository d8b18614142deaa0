"""What a student should take over from its source: picks by measured importance, by norms and at random.

A masked language model of MiniLM's shape (trained from MiniLM's weights here, if ``--source`` names none) is cut in two
ways: to half of its heads, units and hidden units in every layer, and to three of its six layers. Whatever is kept, the
least-squares corrections are the same, and so is the training that follows: text, order, masks, steps. The figure is
the held-out masked-token loss, before training and on its way.

    python benchmarks/inheritance.py --corpus PROSE --run runs/inheritance
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForMaskedLM, AutoTokenizer

from minilm import say
from minilm import source as minilm
from results import Results
from subarch.learning.distillation import collated
from subarch.learning.pretraining import pretrain
from subarch.networks.configs import read_config
from subarch.networks.inheritance import Inheritance, Ranking, depth_map, rank
from subarch.options.pretraining import PretrainSettings
from subarch.storage import write_json
from subarch.text.corpora import open_corpus
from subarch.text.documentation import cache_folder
from subarch.text.masking import Samples
from subarch.text.streaming import RowLayout, open_rows
from subarch.text.tokenizers import load_tokenizer
from subarch.text.vocabulary import Vocabulary

CALIBRATION = 64  # rows
NARROW = {"num_hidden_layers": 6, "hidden_size": 192, "intermediate_size": 768}
SHALLOW = {"num_hidden_layers": 3, "hidden_size": 384, "intermediate_size": 1536}
Layers = Callable[[int, int], tuple[int, ...]]


def by_norms(weights: Sequence[Tensor], _: Sequence[Tensor], *, group: int = 1, **__: float) -> Tensor:
    """The inputs that the largest weights read come first; every map counts alike."""
    each = [w.double().square().sum(0) / w.double().square().sum() for w in weights]
    return torch.argsort(torch.stack(each).sum(0).reshape(-1, group).sum(1), descending=True, stable=True)


def at_random(seed: int) -> Ranking:
    generator = torch.Generator().manual_seed(seed)

    def order(_: Sequence[Tensor], covariances: Sequence[Tensor], *, group: int = 1, **__: float) -> Tensor:
        return torch.randperm(len(covariances[0]) // group, generator=generator)

    return order


@torch.no_grad()
def measured_layers(source: Any, batches: Sequence[Mapping[str, Tensor]]) -> Layers:
    """Again and again without the layer whose absence turns the last states least (1 - cosine)."""
    encoder, full = source.base_model.encoder, list(source.base_model.encoder.layer)

    def states(layers: list[int]) -> Tensor:
        encoder.layer = torch.nn.ModuleList([full[n] for n in layers])
        found = [source.base_model(**batch).last_hidden_state for batch in batches[:1]]
        encoder.layer = torch.nn.ModuleList(full)
        return torch.cat(found)

    whole = states(list(range(len(full))))

    def choose(count: int, _: int) -> tuple[int, ...]:
        kept = list(range(len(full)))
        while len(kept) > count:
            lost = {
                layer: float(
                    (1 - torch.cosine_similarity(states([n for n in kept if n != layer]), whole, dim=-1)).mean()
                )
                for layer in kept
            }
            kept.remove(min(lost, key=lost.__getitem__))
        return tuple(kept)

    return choose


def random_layers(seed: int) -> Layers:
    def choose(count: int, full: int) -> tuple[int, ...]:
        return tuple(sorted(torch.randperm(full, generator=torch.Generator().manual_seed(seed))[:count].tolist()))

    return choose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="a masked language model")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--source-steps", type=int, default=800)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16", help="of matrix products")
    parser.add_argument("--picks", type=int, default=2, help="random ones")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = Results("inheritance", __doc__ or "")
    if arguments.source is None:
        arguments.source = pretrain(
            arguments.run / "source",
            read_config(Path(minilm())),
            settings=recipe_of(arguments, arguments.source_steps, 5e-4),
            initialize="inherit",
            source=minilm(),
            corpus=arguments.corpus,
            watch=say,
        ).checkpoint
    tokenizer = load_tokenizer(arguments.source)
    source = AutoModelForMaskedLM.from_pretrained(arguments.source).eval()
    layout = RowLayout(Vocabulary.of(tokenizer), 128)
    text = open_corpus(arguments.corpus, cache=cache_folder())
    learning, held_out = open_rows(
        text, layout, rows=CALIBRATION, held_out=64, workers=None, cache=cache_folder(), watch=say
    )
    samples = [Samples(learning, count=CALIBRATION, seed=0)[n] for n in range(CALIBRATION)]
    batches = [{"input_ids": part} for part in collated(samples)["input_ids"].split(32)]
    judged = collated([Samples(held_out, count=64, seed=0)[n] for n in range(64)])

    numbers = range(arguments.picks)
    units: dict[str, Ranking] = {"measured": rank, "norms": by_norms}
    units |= {f"random {n}": at_random(n) for n in numbers}
    layers: dict[str, Layers] = {"even": depth_map, "measured": measured_layers(source, batches)}
    layers |= {f"random {n}": random_layers(n) for n in numbers}
    layers["first"] = lambda count, _: tuple(range(count))
    made: list[tuple[str, str, dict[str, int], Inheritance]] = []
    made += [
        ("Heads and units", name, NARROW, Inheritance(source, batches, ranking=one)) for name, one in units.items()
    ]
    made += [("Layers", name, SHALLOW, Inheritance(source, batches, layers=one)) for name, one in layers.items()]
    for section, name, sizes, inheritance in made:
        folder = arguments.run / f"{section}-{name}".replace(" ", "-")
        start = folder / "start"
        if not (folder / "before.json").is_file():
            student = inheritance.student(sizes)
            student.save_pretrained(start)
            AutoTokenizer.from_pretrained(arguments.source).save_pretrained(start)
            write_json(folder / "before.json", {"loss": loss_of(student, judged)})
        found = pretrain(
            folder / "trained",
            read_config(start),
            settings=recipe_of(arguments, arguments.steps, 2e-4),
            initialize="inherit",
            source=str(start),
            corpus=arguments.corpus,
            watch=say,
        )
        records = [json.loads(line) for line in (found.checkpoint / "log.jsonl").read_text().splitlines()]
        losses = {r["step"]: round(r["held_out_loss"], 3) for r in records if "held_out_loss" in r}
        kept = (
            "all"
            if section != "Layers"
            else str([n + 1 for n in layers[name](3, len(source.base_model.encoder.layer))])
        )
        before = json.loads((folder / "before.json").read_text())["loss"]
        shown = {f"step {step}": loss for step, loss in losses.items()}
        results.row(section, {"picks": name, "layers": kept, "step 0": round(before, 3), **shown})
    results.note(
        f"Source {arguments.source.name}; narrow {NARROW}, shallow {SHALLOW}; batches of {arguments.batch_size} rows "
        "of 128 tokens."
    )
    results.write()


def recipe_of(arguments: argparse.Namespace, steps: int, rate: float) -> PretrainSettings:
    return PretrainSettings(
        steps=steps,
        batch_size=arguments.batch_size,
        held_out=256,
        learning_rate=rate,
        evaluate_every=max(1, steps // 3),
        precision=arguments.precision,
    )


@torch.no_grad()
def loss_of(model: Any, batch: Mapping[str, Tensor]) -> float:
    """Cross-entropy of the masked tokens of a batch, in nats; documents see each other here."""
    logits = model(input_ids=batch["input_ids"]).logits.flatten(0, 1)[batch["chosen"]]
    return float(torch.nn.functional.cross_entropy(logits.float(), batch["labels"].flatten()[batch["chosen"]]))


if __name__ == "__main__":
    main()
