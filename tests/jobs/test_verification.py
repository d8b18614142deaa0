"""``verify`` accepts honest runs of every kind, says what it derived again, and never runs code that nobody named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import examples
import pytest
import toy

from subarch.extraction.trainings import Trainings
from subarch.jobs.extraction import extract
from subarch.jobs.verification import options_of, verify_run
from subarch.options.search import ExtractOptions
from subarch.results.certificate import CertificateResult
from subarch.results.verify import VerifyResult
from subarch.telling.report import write_report

TOY = {"source": "toy:Toy", "start": "toy:error", "threads": 1}


def searched(run: Path, **options: Any) -> VerifyResult:
    extract(ExtractOptions(**TOY | {"run": run} | options))
    return verify_run(run, family="toy:Toy")


def order(found: VerifyResult) -> str:
    """What is said of the order of the search."""
    assert found.accepted, found.reason
    return next(one for one in (*found.derived, *found.not_derived) if "search:" in one)


KINDS: dict[str, dict[str, Any]] = {
    "front": {"claim": "front"},
    "within a limit": {"max_macs": 9000.0},
    "everything": {"strategy": "exhaustive"},
    "every seventh": {"strategy": "interval", "epsilon": 7.0},
    "stopped early": {"budget": "5", "epsilon": 0.02},
    "latency is the cost": {"cost": "latency_ms"},
    "faster": {"speedup": 1.05},
    "errors that separate nothing": {"start": "toy:flat"},
    "steps until errors separate": {"start": "toy:learning", "steps": "auto"},
    "as fine as noise lets it be": {"start": "toy:loud", "coarsest_epsilon": 0.5},
    "as fine as violations let it be": {"start": "toy:one_width_is_bad", "coarsest_epsilon": 0.5},
    "a range of steps": {"start": "toy:learning", "steps": "20-160"},
    "a floor": {"error_floor": 0.01},
    "several seeds": {"seeds": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_run_is_accepted_and_its_search_is_played_again(tmp_path: Path, kind: str) -> None:
    found = searched(tmp_path / "run", **KINDS[kind])
    assert order(found).startswith("the search: it asks for the ")
    assert "what report.html tells of the search" in found.derived


def test_questions_on_one_ledger_are_played_again_one_by_one(tmp_path: Path) -> None:
    run = tmp_path / "run"
    searched(run, max_macs=9000.0, budget="1")
    assert "others have asked for" in order(searched(run, claim="front", epsilon=0.4))
    # Taken up again, with more to do: in what order that would have been asked for, nobody knows.
    assert order(searched(run, max_macs=9000.0))


def test_a_run_that_stopped_and_went_on_is_played_again(tmp_path: Path) -> None:
    for budget in ("3", None):
        assert "the search: it asks" in order(searched(tmp_path / "run", budget=budget))


def test_side_by_side_the_order_is_not_derived_and_that_is_said(tmp_path: Path) -> None:
    run = tmp_path / "run"
    extract(ExtractOptions(**TOY, run=run, executor="threads:3", claim="front"))
    told = order(verify_run(run, family="toy:Toy"))
    assert told.startswith("the search: it asks for") or "trainings ran side by side" in told


def test_later_stages_in_the_report_do_not_matter(tmp_path: Path) -> None:
    run = tmp_path / "run"
    searched(run)
    (run / "benchmark.json").write_text(json.dumps(examples.bench().to_json()))
    write_report(run)
    assert 'id="bench"' in (run / "report.html").read_text()
    assert verify_run(run, family="toy:Toy").accepted
    (run / "benchmark.json").unlink()
    assert verify_run(run, family="toy:Toy").accepted
    page = (run / "report.html").read_text()
    (run / "report.html").write_text(page.replace('content="subarch 0', 'content="subarch 9'))
    (said,) = (one for one in verify_run(run, family="toy:Toy").not_derived if "report.html" in one)
    assert "another version" in said
    (run / "report.html").unlink()
    assert any("there is none" in one for one in verify_run(run, family="toy:Toy").not_derived)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "toy"
    searched(folder, epsilon=0.3, steps="5", learning_rates=(0.1, 0.2))
    return folder


def test_the_options_of_a_run_are_read_from_its_manifest(run: Path, tmp_path: Path) -> None:
    asked = TOY | {"epsilon": 0.3, "steps": "5", "learning_rates": (0.1, 0.2)}
    assert options_of(run) == ExtractOptions(**asked, run=run)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"manifest\.json does not say how the run was made"):
        options_of(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"options": {"colour": "blue"}}))
    with pytest.raises(ValueError, match=r"does not say how the run was made .*colour"):
        options_of(tmp_path)


def test_a_run_is_verified_with_the_code_that_was_named_and_no_other(run: Path) -> None:
    with pytest.raises(ValueError, match="toy:Toy"):
        verify_run(run)
    assert verify_run(run, family="toy:Toy").accepted
    with pytest.raises(ValueError, match="never run because a file says so: if you trust it, give --start toy:error"):
        verify_run(run, family="toy:Toy", retrain=1)
    again = verify_run(run, family="toy:Toy", start="toy:error", retrain=2)
    assert again.accepted and len(again.retrained) == 2, again.reason


def test_a_certificate_that_was_made_to_claim_more_is_not_accepted(run: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(run, tmp_path / "changed")
    told = json.loads((changed / "certificate.json").read_text(encoding="utf-8"))
    (changed / "certificate.json").write_text(json.dumps(told | {"epsilon": 0.0001}))
    found = verify_run(changed, family="toy:Toy")
    assert not found.accepted and "was edited" in found.reason


# -------------------------------------------------------------------------------------------------------------- audits

BETTER: dict[str, Any] = {"source": "toy:Toy", "start": "toy:one_width_is_bad", "threads": 1}


def audited(run: Path, width: int, share: float, monkeypatch: pytest.MonkeyPatch, **options: Any) -> CertificateResult:
    monkeypatch.setattr(toy, "BETTER", (width, share))
    found = extract(ExtractOptions(**BETTER | {"run": run} | options)).certificate
    again = verify_run(run, family="toy:Toy")
    assert again.accepted, again.reason
    assert again.derived[2].startswith("the search: it asks for")
    return found


def test_an_audit_that_contradicts_nothing_is_told_and_may_be_made_larger(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert "audit" not in json.loads(json.dumps(extract(ExtractOptions(**TOY, run=run)).certificate.to_json()))
    small = extract(ExtractOptions(**TOY, run=run, audit=2))
    found = extract(ExtractOptions(**TOY, run=run, audit=6))
    one = found.certificate.audit
    assert one is not None and small.certificate.audit is not None
    assert (one.trained, one.contradictions, one.confidence, one.earlier) == (6, 0, 0.95, ())
    assert one.untrained == small.certificate.audit.untrained == 69
    assert found.certificate.verdict == "certified"
    assert found.certificate.evaluated == small.certificate.evaluated + 4 == 17
    assert "none contradicts the bound" in str(found) and "none contradicts" in (run / "report.html").read_text()
    again = verify_run(run, family="toy:Toy", start="toy:error", audit=3, retrain=1)
    assert again.accepted and again.audit is not None and again.audit.trained == 3
    assert again.audit.untrained == 69 - 6
    assert extract(ExtractOptions(**TOY, run=run)).certificate == found.certificate  # it stays, and changes nothing


def test_an_audit_finds_what_the_search_did_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    assert audited(run, 24, 0.6, monkeypatch, max_macs=9000.0).verdict == "certified"
    refuted = verify_run(run, family="toy:Toy", start="toy:one_width_is_bad", audit=40)
    assert not refuted.accepted and "contradict their bounds ({'depth'" in refuted.reason
    found = audited(run, 24, 0.6, monkeypatch, max_macs=9000.0, audit=40)  # which are drawn depends on all digits
    assert found.verdict == "no guarantee" and found.audit is not None and found.audit.contradictions > 0
    assert found.delta > 0.1 and found.audit.contradicting[0].error < found.audit.contradicting[0].bound


def test_the_search_goes_on_after_an_audit_and_is_audited_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = audited(tmp_path / "run", 16, 0.75, monkeypatch, epsilon=0.2, claim="front", audit=12)
    assert found.audit is not None and found.audit.earlier
    assert found.audit.untrained is not None and found.audit.earlier[0].untrained == 50 > found.audit.untrained + 12
    assert [one.confidence for one in (*found.audit.earlier, found.audit)][:2] == [0.95, 0.975]


def test_an_audit_that_was_killed_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = extract(ExtractOptions(**TOY, run=tmp_path / "whole", audit=5)).certificate
    calls = 0

    def record(self: Trainings, purpose: str, *given: Any, **details: Any) -> float:
        nonlocal calls
        calls += purpose == "audit"
        if calls == 3:
            raise KeyboardInterrupt
        return before(self, purpose, *given, **details)  # type: ignore[arg-type]

    before = Trainings.record
    monkeypatch.setattr(Trainings, "record", record)
    with pytest.raises(KeyboardInterrupt):
        extract(ExtractOptions(**TOY, run=tmp_path / "run", audit=5))
    monkeypatch.undo()
    again = extract(ExtractOptions(**TOY, run=tmp_path / "run", audit=5)).certificate
    assert (again.ledger_hash, again.audit) == (whole.ledger_hash, whole.audit)


def test_an_audit_needs_something_to_audit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for options, words in (
        ({"strategy": "exhaustive"}, "there is nothing to audit"),
        ({"start": "toy:flat"}, "nothing is certified, so there is no audit"),
    ):
        caplog.clear()
        found = extract(ExtractOptions(**TOY | {"run": tmp_path / words, "audit": 5} | options))
        assert found.certificate.audit is None and words in caplog.text


def test_what_cannot_be_trained_is_named_among_what_is_left_out(tmp_path: Path) -> None:
    name = "irregular:Regular"
    run = tmp_path / "run"
    asked = ExtractOptions(source=name, start="irregular:diverges_in_the_middle", run=run, audit=30)
    found = extract(asked).certificate
    assert found.audit is not None and found.audit.failed == 2 and len(found.excluded) == 2
    assert "2 more could not be trained, and are left out" in found.audit.in_words
    again = verify_run(run, family=name, start="irregular:diverges_in_the_middle", retrain=99)
    assert again.accepted, again.reason
