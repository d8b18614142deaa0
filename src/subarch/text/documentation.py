"""English text that every machine already has: the documentation of Python and of this library's dependencies.

A corpus without a download and without a shipped file. Docstrings are read out of *source text* by scanning for
triple quotes that follow a ``def`` or ``class`` line; nothing is imported and nothing is parsed, which is some twenty
times as fast as building syntax trees and finds the same docstrings but for rare oddities. What comes out is cleaned
to prose (doctests, tables, signatures and markup removed) and deduplicated paragraph by paragraph, because libraries
repeat the description of a parameter hundreds of times.

The list of packages is fixed, not "whatever is installed", so that two machines with the same versions get the same
corpus whatever else they have. The result is cached as one compressed file.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import re
import sysconfig
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from string import ascii_letters

from subarch.errors import InputError
from subarch.surroundings import cache_folder

logger = logging.getLogger(__name__)

STANDARD_LIBRARY = "python"

# Import name -> distribution name; the order decides which package keeps a paragraph that two of them share.
PACKAGES: dict[str, str] = {
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "networkx": "networkx",
    "sympy": "sympy",
    "sqlalchemy": "SQLAlchemy",
    "torch": "torch",
    "transformers": "transformers",
    "optuna": "optuna",
    "huggingface_hub": "huggingface-hub",
    "plotly": "plotly",
    "mpmath": "mpmath",
    "alembic": "alembic",
    "fsspec": "fsspec",
    "jinja2": "Jinja2",
    "rich": "rich",
    "tyro": "tyro",
    "joblib": "joblib",
    "tqdm": "tqdm",
    "narwhals": "narwhals",
    "setuptools": "setuptools",
}

_SKIPPED_FOLDERS = frozenset(
    {"tests", "test", "testing", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data", "site-packages"}
    | {"dist-packages", "__pycache__", "_vendor", "vendored", "extern", "externals", "_inductor", "benchmarks"}
)


@dataclass(frozen=True)
class Document:
    """One piece of documentation.

    Args:
        text: prose; paragraphs separated by a newline.
        package: import name of the package, or ``"python"`` for the standard library.
        name: dotted path of the documented object, such as ``"torch.nn.modules.linear.Linear.forward"``.
    """

    text: str
    package: str
    name: str


def installed_documentation(*, cache: Path | None = None) -> tuple[Document, ...]:
    """The documentation of the running interpreter and its packages, the same for the same versions.

    Args:
        cache: folder for the cached result; the platform's cache folder of the user when not given. A cache that is
            damaged or of other versions is made anew; one that cannot be written costs only time.

    Returns:
        Documents without duplicates, sorted by package and path.
    """
    path = (cache_folder() if cache is None else cache) / f"documentation-{_key()[:16]}.jsonl.gz"
    documents = _load(path)
    if documents is None:
        documents = tuple(_read_everything())
        _save(path, documents)
    return documents


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary file beside it, fsync, rename.

    Raises:
        OSError: when the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# --- cache ------------------------------------------------------------------------------------------------------------


def _key() -> str:
    versions = {name: _version(distribution) for name, distribution in PACKAGES.items()}
    # The code that reads is part of what determines the result.
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    identity = [code, platform.python_implementation(), platform.python_version(), versions]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _save(path: Path, documents: tuple[Document, ...]) -> None:
    body = "\n".join(json.dumps([d.package, d.name, d.text]) for d in documents).encode()
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    try:
        write_whole(path, gzip.compress(content, compresslevel=3, mtime=0))
    except OSError as error:
        logger.warning("the documentation corpus cannot be cached in %s (%s)", path.parent, error)


def _load(path: Path) -> tuple[Document, ...] | None:
    try:
        digest, _, body = gzip.decompress(path.read_bytes()).partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise InputError("digest differs")
        rows: list[list[str]] = json.loads(b"[" + body.replace(b"\n", b",") + b"]")
        return tuple(Document(text, package, name) for package, name, text in rows)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        logger.warning("the cached documentation %s is damaged (%s): reading it anew", path, error)
        return None


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_everything() -> Iterator[Document]:
    seen: set[str] = set()
    for package, name, raw in _raw_documents():
        paragraphs: list[str] = []
        for block in _BLANK_LINES.split(raw):
            if block in seen:  # as it stands: half of the repetitions need not be cleaned first
                continue
            seen.add(block)
            paragraph = prose(block)
            # Lower-case words alone: two paragraphs that differ only in a class name or a number are the same.
            key = " ".join(_LOWER_CASE_WORD.findall(paragraph))
            if paragraph and key not in seen:
                seen.add(key)
                paragraphs.append(paragraph)
        if paragraphs:
            yield Document("\n".join(paragraphs), package, name)


def _raw_documents() -> Iterator[tuple[str, str, str]]:
    """Package, dotted name and uncleaned text of everything."""
    for topic, raw in sorted(topics.items()):
        yield STANDARD_LIBRARY, f"{STANDARD_LIBRARY}.{topic}", raw
    for package in (STANDARD_LIBRARY, *PACKAGES):
        for path, module in _modules(package):
            source = path.read_bytes().decode("utf-8", errors="replace").replace("\r\n", "\n")
            for name, raw in docstrings(source):
                yield package, f"{module}.{name}" if name else module, raw


def _modules(package: str) -> list[tuple[Path, str]]:
    """Source files of a package with their module names, in an order that the file system has no say in."""
    if package == STANDARD_LIBRARY:
        root, prefix = Path(sysconfig.get_path("stdlib")), ""
    else:
        specification = importlib.util.find_spec(package)  # of a top-level name: finds without importing
        if specification is None or not specification.submodule_search_locations:
            return []
        root, prefix = Path(specification.submodule_search_locations[0]), package
    modules: list[tuple[Path, str]] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        parents = [prefix, *Path(folder).relative_to(root).parts]
        for file in files:
            if file.endswith(".py") and not file.startswith("test_"):
                stem = file.removesuffix(".py")
                parts = [part for part in (*parents, "" if stem == "__init__" else stem) if part]
                modules.append((Path(folder, file), ".".join(parts)))
    return sorted(modules, key=lambda module: (module[1], module[0].name))


_HEADER_OR_QUOTES = re.compile(
    r'^([ \t]*)(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)|((?<!\')"""|(?<!")\'\'\')', re.MULTILINE
)
_LOWER_CASE_WORD = re.compile(r"\b[a-z]+\b")
_ADDED = re.compile(
    r"add_\w*doc\w*\(\s*(?:([\w.]+)|[\"']([\w.]+)[\"'])\s*,(?:\s*\(?\s*[\"']([\w.]+)[\"']\s*,)?\s*[rRuU]?$"
)
_ONLY_COMMENTS = re.compile(r"(?:\s|#[^\n]*)*[rRuU]?")


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Docstrings in triple quotes, found in Python source text without parsing it.

    Also those that libraries attach to compiled functions by ``add_docstr(function, ...)`` and the like.

    Yields:
        The dotted name inside the module (empty for the module itself) and the text between the quotes.
    """
    path: list[tuple[int, str]] = []  # indentation and name of the headers that enclose the position
    header_end = 0
    expected = True  # a docstring may come next
    position = 0
    while match := _HEADER_OR_QUOTES.search(source, position):
        position = match.end()
        quotes = match[3]
        if quotes is None:
            indentation = len(match[1])
            path = [(outer, name) for outer, name in path if outer < indentation]
            path.append((indentation, match[2]))
            header_end, expected = position, True
            continue
        end = _closing(source, quotes, position)
        if end < 0:
            return
        before = source[header_end : match.start()]
        if expected and (_ends_header(before) if path else _ONLY_COMMENTS.fullmatch(before)):
            yield ".".join(name for _, name in path), source[position:end]
        elif added := _ADDED.search(before[-200:]):
            yield ".".join(part for part in added.groups() if part), source[position:end]
        expected, position = False, end + 3


def _closing(source: str, quotes: str, start: int) -> int:
    end = source.find(quotes, start)
    while end > 0 and source[end - 1] == "\\":
        end = source.find(quotes, end + 1)
    return end


def _ends_header(before: str) -> bool:
    return before.rstrip(" \t\nrRuU").endswith(":")


# --- cleaning ---------------------------------------------------------------------------------------------------------

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_OPENING_MARKS = frozenset("-=~^\"'*+#_.`<>|@1234567890•")
_DROPPED_LINE = re.compile(
    r"""(?:[-=~^"'*+\#_.:`<>|]{3,}           # underlines, rules
    |[^\s:][^:]{0,59}[ ]:(?:[ ].*)?         # numpydoc's  name : type
    |[\w ]{1,40}::?                         # Args:  Example::
    |\.\.[ ].*|:\w+:|:(?:rtype|type|raises)\b.*  # directives
    |[|+].*[|+]                             # tables
    |[@].*|```.*|</?\w+>)$""",
    re.VERBOSE,
)
_SECTION_TITLE = re.compile(r"[A-Z][\w ]{1,40}$")
_UNDERLINE = re.compile(r"([-=~^\"'*+#_])\1{2,}$")
_LINE_PREFIX = re.compile(
    r"""^(?:(?:[-*+•]|\d+[.)]|\#+)[ ]+)?                       # list items, headings
    (?::(?:param|keyword|arg|return|returns|raise|ivar|cvar|var)\b[^:\n]*:\s*   # Sphinx fields
    |[`*\w.]+[ ]?\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\):\s*          # Google:  name (type): ...
    )?""",
    re.VERBOSE,
)
_ROLE = re.compile(r":[\w:+-]+:(?=`)")
_LINK = re.compile(r"\[([^\]\n]{1,80})\]\([^)\n]*\)|https?://\S+|\[[\d, ]+\]_?|\|[\w.]+\|")
_BACKTICKS = re.compile(r"\[?`{1,2}[~!]?([^`\n]*)`{1,2}_{0,2}\]?")
_SPACES = re.compile(r"\s+")
_LETTERS_REMOVED = str.maketrans("", "", ascii_letters + " ")
# fmt: off
_FUNCTION_WORDS = frozenset((
    "the", "a", "an", "of", "is", "are", "to", "in", "and", "or", "for", "that", "this", "be", "with", "as", "if", "it",
    "on", "by", "from", "not", "will", "which", "can", "when", "has", "The", "A", "An", "If", "This", "In", "For",
))
# fmt: on


def prose(block: str) -> str:
    """One block between blank lines of a docstring as English sentences on one line, without markup.

    Returns:
        The empty string for code, tables, formulas, signatures and headings.
    """
    paragraph = _without_markup(" ".join(_prose_lines(block)))
    return paragraph if _is_prose(paragraph) else ""


def _prose_lines(block: str) -> list[str]:
    kept: list[str] = []
    for indented in block.split("\n"):
        line = indented.strip()
        if line.startswith((">>>", "In [")):
            break  # what follows up to the blank line is the doctest's output
        if ":" in line or line[:1] in _OPENING_MARKS:
            if _DROPPED_LINE.match(line):
                if kept and _UNDERLINE.match(line) and _SECTION_TITLE.match(kept[-1]):
                    kept.pop()
                continue
            line = _LINE_PREFIX.sub("", line, count=1)
        if line:
            kept.append(line)
    return kept


def _without_markup(text: str) -> str:
    if "`" in text or "[" in text or "|" in text or "://" in text:
        text = _ROLE.sub("", text)
        text = _LINK.sub(r"\1", text)
        text = _BACKTICKS.sub(r"\1", text)
    return _SPACES.sub(" ", text.replace("**", "").replace("::", ":")).strip()


def _is_prose(paragraph: str) -> bool:
    words = paragraph.split()
    if len(words) < 5 or len(paragraph.translate(_LETTERS_REMOVED)) > 0.15 * len(paragraph):
        return False
    return sum(word in _FUNCTION_WORDS for word in words) >= 0.14 * len(words)
