"""What ``subarch --help`` says: one line a command, the first of its options' own words."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping


def overview(about: str, commands: Mapping[str, type], *, width: int | None = None) -> str:
    """The commands on one screen.

    The command line's library would need seconds for the help of all options before it shows that of none.

    Args:
        about: what the program is, in paragraphs.
        commands: the options of each, by name; the first line of their docstrings is shown.
        width: of a line; the terminal's when not given.
    """
    columns = min(width or shutil.get_terminal_size().columns, 120)
    longest = max(map(len, commands))
    lines = ["usage: subarch [-h] COMMAND [OPTIONS]", ""]
    for paragraph in about.split("\n\n"):
        lines += [*textwrap.wrap(paragraph, columns), ""]
    for name, options in commands.items():
        room = columns - longest - 4
        first = (options.__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:<{longest}}  {textwrap.shorten(first, room, placeholder=' ...')}".rstrip())
    return "\n".join([*lines, "", "subarch COMMAND --help tells its options, with examples.", ""])
