"""The whole story as one function: what a run folder was begun with, by this version or an earlier one."""

from __future__ import annotations

from pathlib import Path

from subarch.pipeline import ASKED, Asked
from subarch.storage import read_record, write_json


def test_what_earlier_versions_asked_for_is_still_read(tmp_path: Path) -> None:
    """They kept by how much the search was to be faster than asked."""
    asked = Asked(data="reviews.csv", teacher="./my-bert", speedup=4.0, settings="", task="f1a9")
    write_json(tmp_path / ASKED, {**asked.to_json(), "headroom": 1.25, "confirmed": True})
    known = read_record(Asked, tmp_path / ASKED)
    assert known is not None and (known.data, known.speedup, known.task) == ("reviews.csv", 4.0, "f1a9")
    assert "headroom" not in asked.to_json()
