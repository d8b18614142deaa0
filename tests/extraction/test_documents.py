"""The files of a finished search: they hold the result, and are left as they are where nothing has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subarch.extraction.verification import load_certificate
from subarch.jobs.extraction import extract
from subarch.options.search import ExtractOptions
from subarch.results.certificate import CertificateResult
from subarch.results.extract import ExtractResult

FILES = ("extract.json", "certificate.json", "architecture.json")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents") / "run"
    extract(ExtractOptions(source="toy:Toy", start="toy:error", run=folder, epsilon=0.3))
    return folder


def test_files_hold_the_result_and_a_second_call_leaves_them(run: Path) -> None:
    before = {name: (run / name).read_bytes() for name in FILES}
    again = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.3))
    assert {name: (run / name).read_bytes() for name in FILES} == before
    assert json.loads(before["extract.json"]) == json.loads(json.dumps(again.to_json()))
    assert ExtractResult.from_json(json.loads(before["extract.json"])) == again
    assert CertificateResult.from_json(load_certificate(run)) == again.certificate


def test_another_certificate_is_written_anew(run: Path) -> None:
    (run / "certificate.json").write_text("{}", encoding="utf-8")
    found = extract(ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.3))
    assert load_certificate(run)["digest"] == found.certificate.digest


def test_an_unfinished_question_leaves_the_files_of_the_one_before(run: Path) -> None:
    before = {name: (run / name).read_bytes() for name in (*FILES, "manifest.json")}
    asked = ExtractOptions(source="toy:Toy", start="toy:error", run=run, epsilon=0.3, max_latency_ms=1e-9)
    with pytest.raises(ValueError, match="no architecture of the space meets the limits"):
        extract(asked)
    assert {name: (run / name).read_bytes() for name in before} == before
