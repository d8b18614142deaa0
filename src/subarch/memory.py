"""Data and models that are in memory, as files: stages meet in files, so that runs can be resumed and verified.

What is given is recognised by what it can do, so that neither pandas nor datasets is imported for it. A file or folder
is named after its content: the same content is the same file, in every call.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from subarch.errors import InputError
from subarch.progress import say_once
from subarch.results.base import Result
from subarch.storage import put_in_place, sha256_of, write_text

_LOG = logging.getLogger(__name__)

FOLDER = "given"
_DIGITS = 12  # of a digest, in a name
_WIDTHS: Mapping[tuple[int, bool], tuple[str, ...]] = {  # columns of rows without names, labelled or not
    (2, True): ("text", "label"),
    (3, True): ("sentence1", "sentence2", "label"),
    (1, False): ("text",),
    (2, False): ("sentence1", "sentence2"),
}
_ROWS = "a path, rows (dicts, or tuples of text and label), a DataFrame, or a Dataset"
_MODEL = "a path, a name, a (model, tokenizer) pair of transformers, or a text-classification pipeline"


def is_name(given: object) -> bool:
    """Whether that is the name or path of something, rather than the thing."""
    return isinstance(given, (str, os.PathLike))


def data_file(given: Any, home: Path, option: str, *, labelled: bool) -> Path:
    """The file of data that are in memory.

    Args:
        given: rows (dicts, or tuples of texts and label), a DataFrame, a Dataset; without labels also texts.
        home: folder in which a folder ``given`` is made for it.
        option: that it was given for, to say so.
        labelled: whether the last of a tuple is a label.

    Raises:
        ValueError: for anything else.
    """
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(given, option, labelled=labelled))
    if not text:
        raise InputError(f"{option}: expected {_ROWS}, got no rows")
    path = home / FOLDER / f"data-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}.jsonl"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    say_once(_LOG, f"the rows given for {option} are kept as {path}")
    return path


def model_folder(given: Any, home: Path, option: str) -> str:
    """The folder of a model that is in memory, or that another result made.

    Args:
        given: a ``(model, tokenizer)`` pair, a pipeline, or a result with a checkpoint.
        home: folder in which a folder ``given`` is made for it.
        option: that it was given for, to say so.

    Raises:
        ValueError: for anything else, and for a model without its tokenizer.
    """
    if isinstance(given, Result):
        return _made_by(given, option)
    parts = _parts(given, option)
    (home / FOLDER).mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".model-", dir=home / FOLDER))
    try:
        for one in parts:
            one.save_pretrained(part)
        digest = hashlib.sha256()
        for file in sorted(part.rglob("*")):
            if file.is_file():
                digest.update(f"{file.relative_to(part).as_posix()} {sha256_of(file)}\n".encode())
        folder = home / FOLDER / f"model-{digest.hexdigest()[:_DIGITS]}"
        if not folder.is_dir():
            put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    say_once(_LOG, f"the model given for {option} is kept as {folder}")
    return str(folder)


def run_folder(given: Any) -> Any:
    """The directory of a run that was given as its result; anything else as it is."""
    return getattr(given, "run", given) if isinstance(given, Result) else given


# ----------------------------------------------------------------------------------------------------------------- data


def _rows(given: Any, option: str, *, labelled: bool) -> Iterator[dict[str, Any]]:
    if hasattr(given, "column_names"):
        yield from _of_dataset(given, option)
        return
    if hasattr(given, "columns") and callable(getattr(given, "to_dict", None)):
        rows: Iterable[Any] = given.to_dict("records")
    elif isinstance(given, Iterable) and not isinstance(given, Mapping):
        rows = cast("Iterable[Any]", given)
    else:
        raise InputError(f"{option}: expected {_ROWS}, got {type(given).__name__}")
    width: int | None = None
    for number, row in enumerate(rows, start=1):
        named = _named(row, option, number, labelled=labelled)
        if width is not None and len(named) != width and not isinstance(row, Mapping):
            raise InputError(f"{option}: expected {width} values in each row, got {len(named)} in row {number}")
        width = len(named)
        yield {str(name): _plain(value) for name, value in named.items()}


def _of_dataset(given: Any, option: str) -> Iterator[dict[str, Any]]:
    """Rows of a Dataset, classes by their names; -1 is no label, as the hub's test splits have it."""
    if isinstance(given.column_names, Mapping):
        splits = ", ".join(map(str, given.column_names))
        raise InputError(f"{option}: expected one split, got a DatasetDict of {splits}: give dataset['train']")
    names = {name: one.names for name, one in (given.features or {}).items() if getattr(one, "names", None)}
    for row in given:
        yield {
            name: (names[name][value] if value is not None and value >= 0 else None) if name in names else _plain(value)
            for name, value in row.items()
        }


def _named(row: Any, option: str, number: int, *, labelled: bool) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return cast("Mapping[str, Any]", row)
    values = [row] if isinstance(row, str) else list(cast("Sequence[Any]", row)) if _is_row(row) else []
    columns = _WIDTHS.get((len(values), labelled))
    if columns is None:
        wanted = "(text, label) or (text, text, label)" if labelled else "a text or (text, text)"
        raise InputError(f"{option}: expected dicts, or {wanted}, in each row, got {row!r} in row {number}")
    return dict(zip(columns, values, strict=True))


def _is_row(row: object) -> bool:
    return isinstance(row, Sequence) or hasattr(row, "tolist")


def _plain(value: Any) -> Any:
    """A value as JSON has it; numbers that are none, as pandas has them for what is missing, are nothing."""
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:
        value = value.item()
    elif callable(getattr(value, "tolist", None)):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in cast("Sequence[Any]", value)]
    if value is None or isinstance(value, (str, int)):
        return value
    raise InputError(f"expected texts, numbers and nothing in rows, got {type(value).__name__}: {value!r}")


# --------------------------------------------------------------------------------------------------------------- models


def _made_by(result: Result, option: str) -> str:
    made = getattr(result, "finetune", result)  # of a compression
    for name in ("checkpoint", "folder"):
        if (path := getattr(made, name, None)) is not None:
            return str(path)
    raise InputError(f"{option}: expected {_MODEL}, got a {type(result).__name__}, which holds no model")


def _parts(given: Any, option: str) -> tuple[Any, Any]:
    """A model and its tokenizer."""
    if isinstance(given, tuple) and len(cast("tuple[Any, ...]", given)) == 2:
        model, tokenizer = cast("tuple[Any, Any]", given)
    else:
        model, tokenizer = getattr(given, "model", None), getattr(given, "tokenizer", None)
    if hasattr(given, "save_pretrained") and hasattr(given, "state_dict") and tokenizer is None:
        raise InputError(f"{option}: a model needs its tokenizer: give (model, tokenizer)")
    if not all(callable(getattr(one, "save_pretrained", None)) for one in (model, tokenizer)):
        raise InputError(f"{option}: expected {_MODEL}, got {type(given).__name__}")
    return model, tokenizer
