"""A smaller source that says the same on some texts: its tokenizer and its network without the pieces that none needs.

Every text is taken apart into the same pieces as before, and the network says the same of them: both are looked at each
time, over all texts for the tokenizer. So an objective, a count and a bound on these texts are those of the smaller
source, and a student has no rows that no text would ever look up. Other texts may be taken apart into more and smaller
pieces; how many of their tokens, an eighth of the texts tells that the tokenizer is then cut without.

The folder that is made is a stock checkpoint, whole or absent, with a record of what it was made of beside it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from subarch.errors import InputError
from subarch.networks.checkpoints import Checkpoint, open_checkpoint
from subarch.networks.layouts import without_pooler
from subarch.networks.loading import loaded
from subarch.networks.trimming import answers_apart, named_words, trimmed
from subarch.progress import Watch, say_once, silent
from subarch.results.vocabulary import VocabularyResult
from subarch.silence import quiet_transformers
from subarch.storage import put_in_place, read_record, write_json
from subarch.tasks.labelled import read_texts
from subarch.text.corpora import installed_documentation, is_held_out, passages
from subarch.text.pieces import Short, differing, growth, require_known, save_short, used, with_pieces
from subarch.text.tokenizers import load_tokenizer, settings_of

_LOG = logging.getLogger(__name__)

FOLDER = "source"
"""Of a run, in which the smaller source lies."""
FILE = "vocabulary.json"
ENOUGH = 1_000_000
"""Characters of text: fewer use so few pieces that the next texts need many others."""
_LOOKED_AT = 16  # texts that the two networks are compared on
_TOKENS = 64  # of each of them
_SAME = 1e-5  # of the mean size of outputs: products with fewer rows are summed up in another order
_ASIDE = ("subarch.json",)  # what the checkpoint was made for


@dataclass(frozen=True)
class Given:
    """Texts that are read anew each time.

    Attributes:
        read: from the start.
        more: others.
    """

    read: Callable[[], Iterator[str]]
    more: Sequence[str] = ()

    def __iter__(self) -> Iterator[str]:
        return chain(self.read(), self.more)


def spoken(path: Path) -> Iterator[str]:
    """The texts of a file (:func:`subarch.tasks.labelled.read_texts`), those of a pair one after the other.

    Raises:
        ValueError, OSError: for a file that cannot be read, or holds nothing.
    """
    return (text for one in read_texts(path) for text in one.texts)


def trim(
    given: str | Path | Checkpoint,
    texts: Iterable[str],
    folder: Path,
    *,
    documentation: bool = False,
    watch: Watch = silent,
) -> VocabularyResult:
    """Make a checkpoint with the pieces of some texts alone, or find the one that was made of the same.

    Args:
        given: a checkpoint with its tokenizer: folder, Hugging Face name, or opened.
        texts: as the network will get them; read several times, so a list, or whatever can be iterated again.
        folder: of the smaller one.
        documentation: whether the pieces of the English documentation that is installed stay, too.
        watch: told what goes on.

    Returns:
        What is left, and what other texts turn into; also in the folder, as ``vocabulary.json``.

    Raises:
        ValueError: for a tokenizer that is neither of word pieces, nor of byte pairs, nor a unigram model; for a
            network whose vocabulary is coupled to something else; where a text would not be the same; without texts.
        OSError: when the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from transformers import AutoModel, BertConfig, BertModel
        >>> from subarch.text.tokenizers import train_tokenizer
        >>> texts = ["the river follows the old road", "a letter crosses the market"] * 20
        >>> folder = Path(tempfile.mkdtemp())
        >>> tokenizer = train_tokenizer([*texts, *["quick brown foxes jump over lazy dogs"] * 20], 400)
        >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
        >>> BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder / "whole")
        >>> _ = tokenizer.save_pretrained(folder / "whole")
        >>> found = trim(folder / "whole", texts, folder / "small")
        >>> found.pieces < found.pieces_before == len(tokenizer)
        True
        >>> AutoModel.from_pretrained(folder / "small").config.vocab_size == found.pieces
        True
    """
    opened = open_checkpoint(given)
    tokenizer = load_tokenizer(opened.folder)
    require_known(tokenizer)
    read = list(texts) if isinstance(texts, Iterator) else texts
    more = [one.text for one in installed_documentation()] if documentation else []
    watch("reading the texts", note="which pieces they use")
    sizes = _Sizes(opened, tokenizer, read, more)
    known = read_record(VocabularyResult, folder / FILE)
    if known is not None and known.asked == sizes.asked:
        _tell_few(known)
        return known
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} was made of another source or other texts, or holds something else: take another folder (of a "
            "run, another --run)"
        )
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        result = _trimmed(opened, tokenizer, read, more, sizes, part, watch)
        put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _tell_few(result)
    return result


def source_in(run: Path, source: str, vocabulary: object) -> str:
    """The folder of a run's source: the smaller one where that was asked for.

    Args:
        run: its directory.
        source: as the options name it.
        vocabulary: the option of that name.

    Raises:
        ValueError: when the smaller one is not there.
    """
    if vocabulary is None:
        return source
    if not (run / FOLDER / FILE).is_file():
        raise InputError(
            f"{run / FOLDER}: expected the source with the pieces of the texts alone, found none: run the same "
            "extraction again with this --run"
        )
    return str(run / FOLDER)


def trimmed_from(opened: Checkpoint) -> VocabularyResult | None:
    """What a checkpoint was made of, where that was done here."""
    return read_record(VocabularyResult, opened.folder / FILE)


class _Sizes:
    """How much there is to read, and a digest of it."""

    def __init__(
        self, opened: Checkpoint, tokenizer: PreTrainedTokenizerFast, texts: Iterable[str], more: Sequence[str]
    ) -> None:
        digest = hashlib.sha256(json.dumps([opened.fingerprint, settings_of(tokenizer)]).encode())
        self.texts = self.characters = 0
        for text in texts:
            self.texts, self.characters = self.texts + 1, self.characters + len(text)
            digest.update(hashlib.sha256(text.encode(errors="surrogatepass")).digest())
        for text in more:
            digest.update(b"also" + hashlib.sha256(text.encode(errors="surrogatepass")).digest())
        if not self.characters:
            raise InputError("expected texts whose pieces are to stay, got none")
        self.asked = digest.hexdigest()


def _tell_few(found: VocabularyResult) -> None:
    if found.characters < ENOUGH and not found.documentation:
        say_once(
            _LOG,
            f"--vocabulary texts: {found.characters:,} characters of text are few (expected {ENOUGH:,} or more), and "
            f"{found.resplit:.1%} of the tokens of other texts would be taken apart anew: give more texts "
            "(--vocabulary-texts), or keep the pieces of the installed documentation, too (--vocabulary "
            "texts+documentation)",
        )


def _trimmed(
    opened: Checkpoint,
    tokenizer: PreTrainedTokenizerFast,
    texts: Iterable[str],
    more: Sequence[str],
    sizes: _Sizes,
    folder: Path,
    watch: Watch,
) -> VocabularyResult:
    network = _whole(opened)
    rows, highest = int(cast("Any", network.config).vocab_size), max(cast("Any", tokenizer).get_vocab().values())
    if highest >= rows:
        raise InputError(f"{opened.name}: its tokenizer has a token {highest}, its network {rows} rows: no pair")
    always = named_words(network.config, _generation(network))
    apart = used(tokenizer, _as_read(text for text in texts if is_held_out(text)))
    others = used(tokenizer, chain(_as_read(text for text in texts if not is_held_out(text)), more)) | always
    watch("cutting the vocabulary", note="what other texts turn into")
    grown = growth(tokenizer, with_pieces(tokenizer, others), (text for text in texts if is_held_out(text)))
    short = save_short(tokenizer, with_pieces(tokenizer, others | apart), folder)
    if missing := sorted(always - set(short.numbers)):
        raise InputError(f"{opened.name}: its config names word {missing[0]}, which its tokenizer does not have")
    watch("cutting the vocabulary", note="the same pieces in every text?")
    _require_same_pieces(tokenizer, short, texts)
    watch("cutting the vocabulary", note="the network")
    kept = torch.from_numpy(short.kept)
    small = trimmed(network, kept)
    with quiet_transformers():
        small.save_pretrained(folder)
    _carry(opened, folder)
    _require_same_answers(network, _whole(open_checkpoint(folder)), tokenizer, folder, texts, kept)
    result = VocabularyResult(
        source=opened.name,
        fingerprint=opened.fingerprint,
        asked=sizes.asked,
        texts=sizes.texts,
        characters=sizes.characters,
        documentation=bool(more),
        pieces=len(kept),
        pieces_before=len(tokenizer),
        parameters=small.num_parameters(),
        parameters_before=network.num_parameters(),
        held_out_tokens=grown.tokens,
        resplit=grown.share,
        growth=grown.growth,
    )
    write_json(folder / FILE, result.to_json())
    return result


def _as_read(texts: Iterable[str]) -> Iterator[str]:
    """Texts, and the passages in which long ones are read besides."""
    for text in texts:
        yield text
        yield from passages(text)


def _whole(opened: Checkpoint) -> PreTrainedModel:
    """All of a checkpoint's network, with the head and the pooler that it has."""
    kind = opened.head.opened_by(opened.stock)
    if kind is None:
        raise InputError(f"{opened.name} has the head {opened.head.name}, which nothing here reads")
    bare = opened.head.kind == "encoder" and not any(".pooler." in f".{name}" for name in opened.shapes)
    options: dict[str, Any] = dict(without_pooler(opened.stock)) if bare else {}
    return loaded(kind, opened, **options)


def _generation(network: PreTrainedModel) -> GenerationConfig | None:
    return cast("GenerationConfig | None", getattr(network, "generation_config", None))


def _carry(opened: Checkpoint, folder: Path) -> None:
    """Files beside the network on which its meaning depends."""
    for path in (*opened.files, *(opened.folder / name for name in _ASIDE)):
        if not path.is_file():
            continue
        if not path.is_relative_to(opened.folder):
            say_once(_LOG, f"{opened.folder}: {path.name}, which lies above it, is not taken along")
            continue
        to = folder / path.relative_to(opened.folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def _require_same_pieces(tokenizer: PreTrainedTokenizerFast, short: Short, texts: Iterable[str]) -> None:
    found, where = next(differing(tokenizer, short, texts), None), "text {}"
    if found is None:  # the beginning of a passage may be taken apart otherwise than amid its text
        parts = (part for text in texts for part in passages(text))
        found, where = next(differing(tokenizer, short, parts), None), "a passage"
    if found is None:
        return
    at = next(
        n for n, pair in enumerate(zip((*found.pieces, ""), (*found.short, ""), strict=False)) if len({*pair}) > 1
    )
    ours, theirs = (" ".join(map(repr, pieces[max(0, at - 1) : at + 3])) for pieces in (found.pieces, found.short))
    raise InputError(
        f"{where.format(found.place)} ({found.text[:60]!r}) would be taken apart otherwise by the smaller tokenizer: "
        f"{theirs} instead of {ours}. Leave --vocabulary away, or leave this text out"
    )


def _require_same_answers(
    network: PreTrainedModel,
    small: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    texts: Iterable[str],
    kept: Tensor,
) -> None:
    some = [text for text, _ in zip((one for one in texts if one.strip()), range(_LOOKED_AT), strict=False)]
    pairs = [tuple(_inputs(network, one, text) for one in (tokenizer, load_tokenizer(folder))) for text in some]
    apart = answers_apart(network, small, cast("Any", pairs), kept)
    if not apart <= _SAME:
        raise InputError(
            f"{type(network).__name__} says something else without the pieces that no text uses (by {apart:.1e} of its "
            "outputs), so that its code must depend on them: leave --vocabulary away"
        )


def _inputs(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, text: str) -> Mapping[str, Tensor]:
    found: Any = cast("Any", tokenizer)(text, truncation=True, max_length=_TOKENS, return_tensors="pt")
    inputs = {name: found[name] for name in ("input_ids", "attention_mask") if name in found}
    if getattr(network.config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = inputs["input_ids"]
    return inputs
