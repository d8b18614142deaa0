"""Names of forms: each is known where forms are made, and where they are timed."""

from __future__ import annotations

from typing import get_args

from subarch.options.forms import EXPORTED_TO, USUAL, ArtifactName, Head, Precision, Runtime
from subarch.running.artifacts import FORMS
from subarch.tasks.kinds.table import KINDS


def test_every_form_is_one_of_a_runtime_in_a_precision() -> None:
    assert set(get_args(ArtifactName)) == set(FORMS)
    for name, form in FORMS.items():
        assert form.name == name and form.runtime in get_args(Runtime) and form.precision in get_args(Precision)


def test_names_alone_tell_what_is_usual_and_what_runs_a_form() -> None:
    assert {"onnx", "onnx-int8", "openvino", "openvino-int8"} <= set(USUAL)
    assert not {"onnx-int8-static", "openvino-bfloat16"} & set(USUAL)
    assert set(EXPORTED_TO) == {form.runtime for form in FORMS.values()} >= {"onnxruntime", "openvino"}
    assert set(get_args(Runtime)) == {"pytorch", "compile", *EXPORTED_TO}


def test_every_kind_of_task_has_a_head() -> None:
    assert set(KINDS) <= set(get_args(Head))
