"""Fills pages from what they describe: the help of every command, the list of benchmarks."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    name = page.file.src_uri
    if name == "commands.md":
        return markdown + "\n\n".join(_help(command) for command in _commands())
    if name == "benchmarks.md":
        listed = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").split("\n", 1)[1]
        markdown = markdown.replace("LISTED", listed)
        return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"`\1`", markdown)
    return OUTSIDE.sub(r"](files.md#in-the-repository)", markdown)  # files of the repository are no part of the site


def _commands() -> list[str]:
    from subarch.cli import COMMANDS

    return list(COMMANDS)


def _help(command: str) -> str:
    import tyro

    from subarch.cli import Options

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(Options, args=[command, "--help"], prog="subarch")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue()).strip()
    return f"## {command}\n\n```text\n{plain}\n```"
