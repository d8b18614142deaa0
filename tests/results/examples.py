"""Results as commands return them, with round numbers: one of each kind that others are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from subarch.results.bench import BenchResult, CpuResult, TimedResult
from subarch.results.certificate import (
    AssumptionResult,
    CertificateResult,
    CountsResult,
    FloorResult,
    ReferenceResult,
    ValueResult,
)
from subarch.results.check import CheckResult, ClauseResult
from subarch.results.classes import ClassScore
from subarch.results.compress import CompressResult, SealedResult, TargetResult, TargetsResult
from subarch.results.confirm import ConfirmedResult, ConfirmResult, DifferenceResult
from subarch.results.export import ExportResult, FormResult, LatencyResult, NeedsResult, ReadWith
from subarch.results.extract import (
    ExtractResult,
    PickResult,
    PointResult,
    SourceResult,
    StepResult,
    TimedWith,
    TrainedResult,
    UntrainedResult,
)
from subarch.results.finetune import DataResult, FinetuneResult, MethodResult, SizesResult
from subarch.results.ladder import LadderResult, RungResult, RungsAsked
from subarch.results.promise import ClassDrop, DropResult, PromiseResult
from subarch.results.report import Page
from subarch.results.verify import VerifyResult

CLASSES = (
    ClassScore(name="blame", examples=40, answered=42, right=38),
    ClassScore(name="praise", examples=60, answered=58, right=54),
)
BY_CLASS = {"balanced_accuracy": 0.925, "macro_f1": 0.92}


def timed(**given: Any) -> TimedResult:
    fields: dict[str, Any] = {
        "name": "runs/mine",
        "runtime": "onnxruntime",
        "precision": "float32",
        "threads": 2,
        "batch_size": 1,
        "sequence_length": 128,
        "p50_ms": 2.0,
        "p95_ms": 2.5,
        "ratio": 5.0,
        "size_bytes": 12_000_000,
        "peak_memory_bytes": 340_000_000,
    }
    return TimedResult(**(fields | given))


def bench() -> BenchResult:
    teacher = timed(name="./my-bert", runtime="pytorch", p50_ms=10.0, p95_ms=12.0, ratio=1.0, size_bytes=440_000_000)
    student = timed(runtime="pytorch", p50_ms=4.0, p95_ms=4.5, ratio=2.5, size_bytes=None, peak_memory_bytes=None)
    cpu = CpuResult(name="A processor", features=("avx2", "fma"))
    return BenchResult(run="runs/mine", cpu=cpu, rows=(teacher, student, timed()))


def point(**given: Any) -> PointResult:
    fields: dict[str, Any] = {
        "architecture": {"num_hidden_layers": 2, "hidden_size": 128},
        "parameters": 4_400_000,
        "macs": 50_000_000,
        "latency_ms": 2.0,
        "error": 0.125,
    }
    return PointResult(**(fields | given))


def pick(**given: Any) -> PickResult:
    return PickResult(**{**vars(point()), "w": 3.0, "certified": True, **given})


def certificate(**given: Any) -> CertificateResult:
    fields: dict[str, Any] = {
        "claim": "w",
        "verdict": "certified",
        "reason": "The pick's W is at least 0.95 of the highest.",
        "epsilon": 0.1,
        "achieved": 0.05,
        "delta": 0.0,
        "e_min": 0.001,
        "error_floor": FloorResult(assumed=0.0, void=False),
        "evaluated": 12,
        "space_size": 1080,
        "space_listed": True,
        "spread": 0.5,
        "noise": 0.001,
        "resolved": True,
        "violations": (),
        "best": ValueResult(value=3.0, architecture=point().architecture),
        "bound": ValueResult(value=3.15, architecture=None),
        "excluded": (),
        "limits": {},
        "space_hash": "5face",
        "strategy": "bounds",
        "steps": 300,
        "repeats": 5,
        "counts": CountsResult(source="polynomials", confirmed=9, trained=3, words="confirmed"),
        "question": {"claim": "w"},
        "family": {"kind": "bert"},
        "space": {"num_hidden_layers": [2, 4]},
        "reference": ReferenceResult(architecture={"num_hidden_layers": 12}, parameters=110e6, cost=500e6),
        "objectives": {"size": "parameters", "cost": "macs"},
        "latency_table": None,
        "assumptions": (AssumptionResult(name="monotony", status="checked", evidence="of 12 networks"),),
        "abnc": CheckResult(
            verdict="strong", clauses=(ClauseResult(name="1. counts", verdict="checked", evidence="of 12 networks"),)
        ),
        "ledger_hash": "1ed6e7",
        "seeds": (0, 1),
        "versions": {"torch": "2.8"},
        "hardware": {"cpus": 2},
        "created": "2026-01-01T00:00:00",
        "digest": "d16e57",
    }
    return CertificateResult(**(fields | given))


def extract(**given: Any) -> ExtractResult:
    small, large = point(), point(architecture={"num_hidden_layers": 4, "hidden_size": 256}, parameters=11_000_000)
    fields: dict[str, Any] = {
        "run": "runs/mine",
        "architecture": small.architecture,
        "parameters": small.parameters,
        "macs": small.macs,
        "latency_ms": small.latency_ms,
        "error": small.error,
        "w": 3.0,
        "front": (small, large),
        "picks": {"w": pick(), "knee": pick(certified=False), "constrained": None},
        "certificate": certificate(),
        "source": SourceResult(
            name="./my-bert",
            architecture={"num_hidden_layers": 12, "hidden_size": 768},
            parameters=110_000_000,
            macs=500_000_000,
            latency_ms=20.0,
        ),
        "trained": (TrainedResult(**vars(small), number=0, standard_error=0.01, w=3.0, seconds=1.5),),
        "untrained": (
            UntrainedResult(architecture={"num_hidden_layers": 1}, parameters=1000, macs=900, error_bound=0.2),
        ),
        "untrained_total": 1068,
        "progress": (StepResult(trained=1, seconds=1.5, best=None, bound=3.15, achieved=None),),
        "timed_with": TimedWith(runtime="pytorch", threads=2),
    }
    return ExtractResult(**(fields | given))


def method(name: str = "plain", **given: Any) -> MethodResult:
    fields: dict[str, Any] = {"mean": 0.91, "ci95": 0.012, "scores": (0.9, 0.92), "seeds": 2, "steps": 1200}
    return MethodResult(method=name, **(fields | {"learning_rate": 3e-05} | given))


def finetune(**given: Any) -> FinetuneResult:
    fields: dict[str, Any] = {
        "task": "reviews.csv",
        "metric": "accuracy",
        "run": "runs/mine",
        "rows": (method(), method("teacher", mean=0.95, ci95=None, scores=(0.95,), seeds=1, steps=0)),
        "checkpoint": Path("runs/mine/finetune/reviews/checkpoint"),
        "method": "plain",
        "max_length": 128,
        "related": 0,
        "trainings": 2,
        "model": "2 layers, hidden 128",
        "kind": "classification",
        "label_names": ("blame", "praise"),
        "data": DataResult(
            task="reviews.csv",
            fingerprint="f19e",
            sealed="5ea1",
            examples=SizesResult(train=8000, development=1000, sealed=1000),
        ),
        "identity": "1de",
        "weights": "ae1",
    }
    return FinetuneResult(**(fields | given))


def export(**given: Any) -> ExportResult:
    forms = (
        FormResult(
            artifact="onnx",
            metric=0.91,
            drop=0.0,
            label_flips=0,
            examples=1000,
            largest_difference=1e-6,
            passed=True,
            reason="it loses nothing",
            alone_flips=0,
            alone=64,
        ),
        FormResult(
            artifact="onnx-int8",
            metric=0.88,
            drop=3.0,
            label_flips=41,
            examples=1000,
            largest_difference=0.25,
            passed=False,
            reason="3 points are more than 1",
            alone_flips=3,
            alone=64,
        ),
    )
    times = {"pytorch": 4.0, "onnx": 2.0, "onnx-int8": 1.0}
    fields: dict[str, Any] = {
        "run": "runs/mine",
        "folder": Path("runs/mine/export"),
        "files": ("model.onnx", "export.json"),
        "parity": forms,
        "latency": tuple(
            LatencyResult(artifact=one, p50_ms=ms, p95_ms=1.25 * ms, batch_size=1, sequence_length=128)
            for one, ms in times.items()
        ),
        "sizes": {"onnx": 18_000_000, "onnx-int8": 5_000_000},
        "chosen": "onnx",
        "reason": "the fastest that loses no more than 1 point",
        "missing": {"openvino": "openvino is not installed"},
        "metric": "accuracy",
        "score": 0.91,
        "judged_on": "development rows",
        "examples": 1000,
        "max_drop": 1.0,
        "head": "sequence-classification",
        "label_names": ("blame", "praise"),
        "length": 128,
        "texts": 1,
        "tokenizer": ReadWith(pad_token_id=0, truncation_side="right", model_input_names=("input_ids",)),
        "inputs": ("input_ids", "attention_mask"),
        "output": "logits",
        "embedding": None,
        "activation": None,
        "cpu": CpuResult(features=("avx2",), threads=2),
        "opens_with": {
            "onnx": NeedsResult(runtime="onnxruntime", ir_version=9, opsets={"": 17}, oldest_onnxruntime="1.16")
        },
        "sha256": {"model.onnx": "54a"},
        "model": "runs/mine/finetune/reviews/checkpoint",
        "weights": "ae1",
        "identity": "1de",
        "classes": CLASSES,
        "by_class": BY_CLASS,
    }
    return ExportResult(**(fields | given))


def confirmed(**given: Any) -> ConfirmedResult:
    fields: dict[str, Any] = {
        "number": 0,
        "architecture": point().architecture,
        "parameters": 4_400_000,
        "error": 0.125,
        "w": 3.0,
        "scores": (0.89, 0.91),
        "mean": 0.9,
        "ci95": 0.01,
        "apart": 0.89,
        "development": 0.91,
        "start": Path("runs/mine/pretrain"),
    }
    return ConfirmedResult(**(fields | given))


def confirm(**given: Any) -> ConfirmResult:
    """Three networks, of which one is better than the pick and one could not be trained."""
    better = confirmed(
        number=3,
        architecture={"num_hidden_layers": 4, "hidden_size": 256},
        error=0.13,
        w=2.5,
        scores=(0.91, 0.93),
        mean=0.92,
        apart=0.915,
        difference=DifferenceResult(mean=0.02, ci95=0.005),
        start=Path("runs/mine/confirm/3/pretrain"),
    )
    lost = ConfirmedResult(
        number=5,
        architecture={"num_hidden_layers": 1, "hidden_size": 128},
        parameters=1_000_000,
        error=0.2,
        w=1.0,
        failure="the loss was nan",
    )
    fields: dict[str, Any] = {
        "verdict": "did not hold",
        "reason": "The order did not hold: 4 layers, hidden 256 is better.",
        "better": 3,
        "claim": "constrained",
        "way": "distilled",
        "metric": "accuracy",
        "examples": 1000,
        "related": 0,
        "asked": 2,
        "seeds": 2,
        "tau": -1 / 3,
        "networks": (confirmed(), better, lost),
    }
    return ConfirmResult(**(fields | given))


def drop(points: float = 5.0, half: float = 2.0, **given: Any) -> DropResult:
    fields: dict[str, Any] = {
        "drop": points,
        "drop_ci95": (points - half, points + half),
        "rows": 1000,
        "verdict": "missed" if points > 1 else "met",
    }
    return DropResult(**(fields | given))


def promise() -> PromiseResult:
    one = ClassDrop(name="praise", examples=60, drop=3.0, drop_ci95=(-6.0, 12.0))
    return PromiseResult(**vars(drop()), agreement=0.91, agreement_lower=0.89, per_class=(one,))


def ladder(**given: Any) -> LadderResult:
    tfidf = RungResult(
        name="tfidf",
        quality=0.83,
        ci95=0.02,
        development=0.82,
        drop=drop(12.0, 2.5),
        development_drop=drop(11.0, 4.0, rows=400),
        verdict="missed",
        ms_per_text=0.25,
        texts_per_second=5000.0,
        size_bytes=3_000_000,
        seconds_to_make=2.0,
        folder="runs/mine/ladder/tfidf/model",
        words="TF-IDF of words and characters with a linear model",
    )
    teacher = RungResult(
        name="teacher",
        quality=0.95,
        ci95=0.01,
        development=0.955,
        drop=drop(0.0, 0.0),
        development_drop=drop(0.0, 0.0, rows=400),
        verdict="met",
        ms_per_text=10.0,
        texts_per_second=150.0,
        size_bytes=440_000_000,
        seconds_to_make=0.0,
        folder="./my-bert",
        words="the teacher in PyTorch, with 32-bit floats",
    )
    form = RungResult(
        name="onnx",
        what="form",
        quality=0.9,
        ci95=0.02,
        development=0.91,
        drop=drop(),
        development_drop=drop(4.5, 3.0, rows=400),
        verdict="missed",
        ms_per_text=2.0,
        texts_per_second=900.0,
        size_bytes=18_000_000,
        folder="runs/mine/export",
        words="this model as onnx, which is deployed",
    )
    fields: dict[str, Any] = {
        "metric": "accuracy",
        "rungs": (tfidf, teacher, form),
        "asked": RungsAsked(max_drop=1.0, speedup=3.0),
        "run": "runs/mine",
        "task": "reviews",
        "development_rows": 400,
        "sealed_rows": 1000,
    }
    return LadderResult(**(fields | given))


def later() -> dict[str, Any]:
    """What came after the search, of :func:`compress` and of a demo."""
    fields: dict[str, Any] = {
        "task": "reviews",
        "data": "reviews.csv",
        "given_teacher": "./my-bert",
        "finetune": finetune(),
        "export": export(),
        "bench": bench(),
        "sealed": SealedResult(metric="accuracy", teacher=0.95, exported=0.9, drop=5.0, examples=1000),
        "deployed": {
            "student": timed(size_bytes=18_000_000),
            "teacher": timed(name="./my-bert", p50_ms=8.0, p95_ms=9.0, size_bytes=440_000_000),
        },
        "targets": TargetsResult(
            met=(TargetResult(target="speedup", asked=3.0, got=4.0),),
            missed=(TargetResult(target="drop", asked=1.0, got=5.0),),
        ),
        "report": Page("runs/mine/report.html"),
        "ladder": ladder(),
        "promise": promise(),
    }
    return fields


def verify(**given: Any) -> VerifyResult:
    fields: dict[str, Any] = {"accepted": True, "reason": "it follows from the ledger", "achieved": 0.05}
    return VerifyResult(**(fields | given))


def compress(**given: Any) -> CompressResult:
    return CompressResult(**({"run": "runs/mine", "extract": extract(), "verify": verify()} | later() | given))
