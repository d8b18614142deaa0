"""subarch: extract a small network from a real one, with a certificate of how far from optimal it can be.

>>> import subarch
>>> small = subarch.compress("reviews.csv", "./my-bert", speedup=4)  # doctest: +SKIP
>>> small(["a fine film"])  # doctest: +SKIP
[{'label': 'praise', 'probabilities': {'blame': 0.06, 'praise': 0.94}}]

Names are looked up when they are first used, so that importing the package stays cheap.
"""

from importlib import import_module

__version__ = "0.2.0"

TYPE_CHECKING = False  # nothing is imported here that ``python -m`` has not: see __main__.py
if TYPE_CHECKING:
    from typing import Any

    from subarch.api import bench as bench
    from subarch.api import check as check
    from subarch.api import compress as compress
    from subarch.api import evaluate as evaluate
    from subarch.api import export as export
    from subarch.api import extract as extract
    from subarch.api import finetune as finetune
    from subarch.api import inspect as inspect
    from subarch.api import ladder as ladder
    from subarch.api import predict as predict
    from subarch.api import pretrain as pretrain
    from subarch.api import verify as verify
    from subarch.options.compression import CompressOptions as CompressOptions
    from subarch.options.ladder import LadderOptions as LadderOptions
    from subarch.options.pretraining import PretrainOptions as PretrainOptions
    from subarch.options.running import BenchOptions as BenchOptions
    from subarch.options.running import ExportOptions as ExportOptions
    from subarch.options.search import ExtractOptions as ExtractOptions
    from subarch.options.tasks import AgoraOptions as AgoraOptions
    from subarch.options.tasks import EvaluateOptions as EvaluateOptions
    from subarch.options.tasks import FinetuneOptions as FinetuneOptions
    from subarch.options.tasks import TaskOptions as TaskOptions
    from subarch.running.predictor import Predictor as Predictor

_HOMES = {
    "subarch.api": (
        "compress",
        "extract",
        "pretrain",
        "finetune",
        "evaluate",
        "predict",
        "export",
        "bench",
        "ladder",
        "inspect",
        "check",
        "verify",
    ),
    "subarch.running.predictor": ("Predictor",),
    "subarch.options.compression": ("CompressOptions",),
    "subarch.options.ladder": ("LadderOptions",),
    "subarch.options.search": ("ExtractOptions",),
    "subarch.options.pretraining": ("PretrainOptions",),
    "subarch.options.tasks": ("TaskOptions", "AgoraOptions", "FinetuneOptions", "EvaluateOptions"),
    "subarch.options.running": ("ExportOptions", "BenchOptions"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module 'subarch' has no attribute {name!r}")
    import_module("subarch.surroundings").home()  # libraries look for it when they are imported
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
