"""The names of what networks run on. Light on purpose, as all options are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from subarch.options.found import names_in

ARTIFACT_NAMES = tuple(name.replace("_", "-") for name in names_in("running", "forms"))
"""Forms that networks are exported to: a file each, which is not opened here."""
USUAL = tuple(name for name in ARTIFACT_NAMES if name.partition("-")[2] in ("", "int8"))
"""What is tried where nobody names forms: of each runtime 32-bit floats and 8-bit integers, nothing more particular."""
_RUN_BY = {"onnx": "onnxruntime"}  # the one format that is not called as what runs it


def runtime_of(name: str) -> str:
    """What runs a form: what its name begins with, which is also the name of the package that it comes as.

    >>> from subarch.options.forms import runtime_of
    >>> runtime_of("openvino-int8"), runtime_of("onnx-int8")
    ('openvino', 'onnxruntime')
    """
    kind = name.partition("-")[0]
    return _RUN_BY.get(kind, kind)


EXPORTED_TO = tuple(dict.fromkeys(map(runtime_of, ARTIFACT_NAMES)))
"""Runtimes of these forms."""
Precision = Literal["float32", "bfloat16", "int8"]
PlainName = Literal["constant", "tfidf", "static", "cascade"]
"""Forms of what is no deep network, or two of them."""
if TYPE_CHECKING:
    Runtime = str
    ArtifactName = str
else:
    Runtime = Literal[("pytorch", "compile", *EXPORTED_TO)]
    ArtifactName = Literal[ARTIFACT_NAMES]
FormName = ArtifactName | PlainName | Literal["pytorch"]
"""Whatever answers: a form, or a checkpoint as it is."""
Head = Literal["classification", "multilabel", "regression", "choice", "tokens", "masked-lm", "encoder", "embedding"]
"""What a network that runs predicts: logits of classes, or of labels of which several may hold, a number, a candidate,
a tag of each token, words that are masked, states, or one vector a text."""
