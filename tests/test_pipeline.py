"""How compress turns a target into the limit of a search: a law over invented networks and their two times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subarch import pipeline
from subarch.progress import silent
from subarch.storage import read_json, write_json


@dataclass(frozen=True)
class Asked:
    """A plan as far as it matters here."""

    headroom: float

    def extraction(self) -> float:
        return self.headroom


@given(
    networks=st.lists(st.tuples(st.floats(1, 20), st.floats(1, 20)), min_size=1, max_size=8),
    headroom=st.sampled_from([1.0, 1.25]),
)
def test_the_pick_is_fast_enough_as_it_will_run_wherever_a_limit_of_the_search_gives_one(
    networks: list[tuple[float, float]], headroom: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Times as fast: of each network in the search, and as deployed. Larger networks come first, and are better."""
    run = tmp_path_factory.mktemp("run")
    write_json(run / "asked.json", {"data": "reviews.csv"})
    target = 2.0
    ladder = sorted(networks)

    def extract(limit: float, **_: Any) -> dict[str, Any]:
        fitting = [n for n, (searched, _) in enumerate(ladder) if searched >= target * limit]
        if not fitting:
            raise ValueError("nothing is that fast")
        return {"architecture": {"n": fitting[0]}}

    def room(_: Any, architecture: Mapping[str, int], **__: Any) -> float:
        return ladder[architecture["n"]][1] / target

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "extract", extract)
        patch.setattr(pipeline, "room_as_deployed", room)
        fitting = [limit for limit in (headroom, 1.0) if any(searched >= target * limit for searched, _ in ladder)]
        if not fitting:
            with pytest.raises(ValueError, match="nothing is that fast"):
                pipeline._extracted(Asked(headroom), run, silent, "")  # type: ignore[arg-type]
            return
        first = extract(fitting[0])
        found = pipeline._extracted(Asked(headroom), run, silent, "")  # type: ignore[arg-type]
        again = pipeline._extracted(
            replace(Asked(headroom), headroom=read_json(run / "asked.json")["headroom"]), run, silent, ""
        )  # type: ignore[arg-type,index]
    assert again == found  # what was decided is kept
    assert read_json(run / "asked.json")["data"] == "reviews.csv"  # type: ignore[index]
    if room(None, first["architecture"]) >= pipeline.ROOM:
        assert room(None, found["architecture"]) >= pipeline.ROOM
        assert found["architecture"]["n"] <= first["architecture"]["n"]  # never a smaller one than was fast enough
