"""Every command is made of options, work and a result that are there."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from subarch.commands import COMMANDS, options_class, performed
from subarch.networks.inspection import inspect_network
from subarch.options.calling import listed
from subarch.options.search import CheckOptions, InspectOptions, ReportOptions, VerifyOptions
from subarch.progress import silent
from subarch.results.base import Result
from subarch.results.check import CheckResult
from subarch.results.inspect import InspectResult


@pytest.mark.parametrize("name", COMMANDS)
def test_options_work_and_result_of_a_command_are_there(name: str) -> None:
    command = COMMANDS[name]
    known = {one.name for one in listed(options_class(name))}
    assert {place.lstrip("*") for place in command.positional} <= known
    module, _, function = command.work.partition(":")
    work = inspect.signature(getattr(import_module(module), function)).parameters
    assert "watch" in work and ("command" in work) == command.recorded
    result = getattr(import_module(f"subarch.results.{name}"), f"{name.capitalize()}Result")
    assert issubclass(result, Result)


def test_a_command_gives_its_result() -> None:
    found = performed("inspect", InspectOptions(name="bort", sequence_length=16), watch=silent)
    assert isinstance(found, InspectResult)
    assert found == inspect_network("bort", 16)
    checked = performed("check", CheckOptions(source="mlp"), watch=silent)
    assert isinstance(checked, CheckResult) and checked.verdict == "weak"


def test_the_work_is_told_what_was_typed_and_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def extract(options: Any, **more: Any) -> dict[str, Any]:
        given.update(more, options=options)
        raise ValueError("enough")

    monkeypatch.setattr("subarch.jobs.extraction.extract", extract)
    with pytest.raises(ValueError, match="enough"):
        performed("extract", "the options", watch=silent, command="subarch extract bort")
    assert given == {"options": "the options", "watch": silent, "command": "subarch extract bort"}


def test_what_is_no_run_is_refused_by_verify_and_report_alike(tmp_path: Path) -> None:
    for name, options in (("verify", VerifyOptions(run=tmp_path)), ("report", ReportOptions(run=tmp_path))):
        with pytest.raises(ValueError, match=r"certificate|extract\.json"):
            performed(name, options, watch=silent)
