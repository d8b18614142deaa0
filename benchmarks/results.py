"""How a benchmark's result is kept: one dated Markdown file with the CPU named, and its rows as JSON beside it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from subarch.manifest import Hardware, versions
from subarch.storage import write_json, write_text

FOLDER = Path(__file__).resolve().parent / "results"


class Results:
    """Rows by section, printed as they come and written at the end."""

    def __init__(self, name: str, about: str) -> None:
        FOLDER.mkdir(exist_ok=True)
        self._name, self._about = name, about.strip()
        self._sections: dict[str, list[dict[str, Any]]] = {}
        self._notes: list[str] = []
        self.path = FOLDER / f"{time.strftime('%Y-%m-%d')}-{name}.md"

    def row(self, section: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Add a row, say it, and give it back."""
        kept = dict(row)
        self._sections.setdefault(section, []).append(kept)
        sys.stderr.write(f"{section}: {json.dumps(kept)}\n")
        return kept

    def note(self, text: str) -> None:
        """Add a sentence under the tables."""
        self._notes.append(text)
        sys.stderr.write(text + "\n")

    def write(self) -> None:
        """Write the dated files."""
        machine = Hardware.here().to_json()
        cpu = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB"
        parts = [f"# {self._name}, {time.strftime('%Y-%m-%d')}", self._about, f"Machine: {cpu}."]
        parts.append("Versions: " + ", ".join(f"{name} {value}" for name, value in versions().items()) + ".")
        for section, rows in self._sections.items():
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
            lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
            parts += [f"## {section}", "\n".join(lines)]
        parts += self._notes
        write_text(self.path, "\n\n".join(parts) + "\n")
        write_json(self.path.with_suffix(".json"), {"machine": machine, "versions": versions(), **self._sections})
        sys.stderr.write(f"wrote {self.path}\n")
