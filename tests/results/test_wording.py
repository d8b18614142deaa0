"""What is said of sealed rows that are too much like others."""

from __future__ import annotations

from subarch.results.wording import apart, apart_as_exported


def test_what_is_said_beside_scores() -> None:
    rows = [{"method": "plain", "apart": 0.8049}, {"method": "teacher", "apart": 0.9}]
    result = {"rows": rows, "related": 317, "data": {"examples": {"sealed": 1200}}}
    told = apart(result)
    assert told.startswith("317 of the 1,200 sealed rows (26 %)") and "plain 80.5, teacher 90.0" in told
    assert apart({**result, "related": 0}).startswith("None of the sealed rows")
    everything = {**result, "related": 1200, "rows": [{"method": "plain", "apart": None}]}
    assert "(100 %)" in apart(everything) and "no other row is left" in apart(everything)
    # Files of earlier versions do not say it, and nothing is made up for them.
    assert apart({"rows": [{"method": "plain"}], "data": {"examples": {"sealed": 5}}}) == ""
    assert apart_as_exported({"examples": 100}) == ""
    sealed = {"examples": 100, "related": 10, "apart": {"exported": 0.7, "teacher": 0.75}}
    assert "exported 70.0, teacher 75.0" in apart_as_exported(sealed)
