"""What later stages of ``compress`` would refuse hours from now: found before the first of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from subarch.errors import InputError, MissingPackageError
from subarch.executors.base import Resources
from subarch.executors.opening import check_executor
from subarch.extraction.opening import read_reference, read_space
from subarch.extraction.search import Budget
from subarch.extraction.textual import LEAST_TEXTS, require_inheritable
from subarch.jobs.benchmark import ARTIFACTS
from subarch.jobs.pretraining import losses_of
from subarch.jobs.splits import same_file
from subarch.learning.teachers import open_teacher, settled
from subarch.networks.checkpoints import Checkpoint
from subarch.networks.encoder import EncoderFamily
from subarch.networks.sources import open_source
from subarch.options.forms import ArtifactName
from subarch.options.pretraining import PretrainOptions
from subarch.options.recipes import Settings
from subarch.options.search import DEALT, SPLITTING, ExtractOptions
from subarch.options.tasks import TaskOptions
from subarch.plugins import imported
from subarch.running.artifacts import FORMS, any_of_extras
from subarch.tasks.dealing import Kinship
from subarch.tasks.loading import opened_task
from subarch.tasks.task import Task
from subarch.text.corpora import FORMATS, HELD_OUT_SHARE, open_corpus
from subarch.text.files import format_of
from subarch.text.pieces import require_known
from subarch.text.tokenizers import load_tokenizer
from subarch.text.vocabulary import Vocabulary

READ = frozenset({"texts", "corpus", "data"})  # what a search may measure the error on
_STAGES = ("finetune", "pretrain", "export", "teacher")  # folders of a run that stages fill
_TRACES = (*_STAGES, "manifest.json", "study.db", "benchmark.json")


def require_apart(teacher: Path, run: Path) -> None:
    """Refuse a teacher that lies where the stages of the run put their own networks.

    Raises:
        ValueError: naming the folder.
    """
    given, folder = teacher.resolve(), run.resolve()
    places = [folder / name for name in _STAGES]
    if given == folder or any(given.is_relative_to(place) for place in places):
        raise InputError(
            f"the teacher {teacher} lies in the run directory {run}, which would overwrite it: take another --run"
        )


def require_unused(run: Path) -> None:
    """Refuse a directory that another command has begun: its stages would collide with these, one after the other.

    Raises:
        ValueError: naming what is there.
    """
    if found := [name for name in _TRACES if (run / name).exists()]:
        raise InputError(
            f"{run} holds {', '.join(found)} of another command, which would be mixed with this one's: take another"
        )


def require_texts(count: int) -> None:
    """Raises:
    ValueError: when an eighth of the texts is too few to judge candidates by; sharing out is by chance, hence the half.
    """
    least = int(LEAST_TEXTS * HELD_OUT_SHARE * 1.5)
    if count < least:
        raise InputError(
            f"expected at least {least:,} training texts for the search, got {count:,}: give more of them (--pool FILE "
            "needs no labels), or other text of the same kind (--set extract.texts=PATH, or extract.corpus=PATH)"
        )


def require_search(settings: Settings, teacher: Checkpoint) -> None:
    """Refuse a search that could not begin.

    Raises:
        ValueError, OSError: for a start or a space that the source does not fit, and text that is not there.
    """
    extract = settings["extract"]
    family = cast("EncoderFamily", open_source(teacher, space=read_space(extract.get("space"))).family)
    Budget.parse(extract.get("budget"))
    read_reference(extract.get("reference"))
    check_executor(extract.get("executor") or "serial", Resources.parse(extract.get("resources")))
    start = extract.get("start") or "inherit"
    if ":" in start:
        imported(start, "start", "module.path:name of a callable")
    if start == "inherit":
        require_inheritable(family)
    elif start == "scratch" and not READ & set(extract):
        raise InputError(
            "extract.start=scratch learns masked tokens of a corpus, which rows of a table are not: give extract.corpus"
        )
    if (corpus := extract.get("corpus")) is not None:
        open_corpus(corpus)
    if (texts := extract.get("texts")) is not None and not Path(texts).is_file():
        raise InputError(f"extract.texts: there is no file {texts}")
    if len(given := READ & set(extract)) > 1:
        raise InputError(f"extract.{' and extract.'.join(sorted(given))}: the error is measured on one of them")


def same_data(name: str, where: TaskOptions) -> bool:
    """Whether a search reads the very rows of the task."""
    path, own = Path(name), Path(where.name)
    return same_file(path, own) if path.is_file() and own.is_file() else name == where.name


def require_unsealed(settings: Settings, task: Task, where: TaskOptions) -> None:
    """Refuse settings by which a stage would read what is sealed, or what choices are made on.

    Raises:
        ValueError: naming the setting.
    """
    extract = settings["extract"]
    if "data" in extract:
        if same_data(extract["data"], where):
            differing = [name for name in SPLITTING if name in extract and extract[name] != getattr(where, name)]
            if differing:
                raise InputError(
                    f"extract.{differing[0]} deals {where.name} out in another way than the task's settings, so that "
                    f"the search would read rows that are sealed: leave it out, task.{differing[0]} holds for both"
                )
        else:
            options = ExtractOptions(source="", **{name: extract[name] for name in ("data", *DEALT) if name in extract})
            other = opened_task(cast("TaskOptions", options.where))
            held = Kinship(task.sealed.unlabelled(), task.common)
            if count := sum(held.of([*other.train, *other.development])):
                raise InputError(
                    f"extract.data: {count} rows of {extract['data']} are sealed rows of {where.name}, near copies of "
                    "them, or contain or lie in one, and the search would learn from them: leave these out"
                )
    files = [path for path in (where.data, where.development_data, where.test_data) if path is not None]
    files += [Path(where.name)] if Path(where.name).is_file() else []
    for section in ("extract", "pretrain"):
        if (corpus := settings[section].get("corpus")) is None:
            continue
        root = Path(corpus)
        inside = [path for path in files if _read_with(root, path)]
        if inside:
            raise InputError(
                f"{section}.corpus: {corpus} holds {inside[0]}, some of whose rows are sealed: the rows of the "
                "training split and the pool are read without it; give other text"
            )


def _read_with(root: Path, path: Path) -> bool:
    """Whether a corpus has a file of the task's among its own."""
    if root.is_dir():
        return format_of(path) in FORMATS and path.resolve().is_relative_to(root.resolve())
    return root.is_file() and same_file(root, path)


def require_vocabulary(settings: Settings, given: Checkpoint) -> None:
    """Refuse a smaller vocabulary that could not be made, or that the pre-training could not read with.

    Raises:
        ValueError: for a tokenizer of another kind, or a loss that compares words of two vocabularies.
    """
    if settings["extract"].get("vocabulary") is None:
        return
    require_known(load_tokenizer(given.folder))
    if settings["pretrain"].get("logits"):
        raise InputError(
            "pretrain.logits compares what two networks say of one vocabulary, and --vocabulary gives the student a "
            "smaller one than its teacher has: leave one of them away"
        )


def require_pretraining(options: PretrainOptions, taught: Path, given: Checkpoint, *, reads_rows: bool) -> None:
    """Refuse a pre-training that could not begin.

    Args:
        options: as the stage gets them; the architecture is yet to be found.
        taught: the teacher once it is fine-tuned; it need not be there yet.
        given: the teacher as it was given.
        reads_rows: whether the text is that of rows and pool, which is written later.

    Raises:
        ValueError, OSError: for losses that the teacher cannot give, rows longer than it has positions for, and a
            corpus or tokenizer that is not there.
    """
    if not reads_rows and options.corpus is not None:
        open_corpus(options.corpus)
    encoder = open_teacher(given)
    # Fine-tuned for labels, it has no head for words any more.
    teacher = replace(encoder, speaks=False) if options.teacher == str(taught) else open_teacher(str(options.teacher))
    if options.logits and not teacher.speaks:
        raise InputError(
            "pretrain.logits learns what a masked-language-model head says, and the teacher has none: give one with it "
            "(which is fine-tuned on your rows besides), name another with pretrain.teacher=FOLDER, or set "
            "pretrain.logits=0 and pretrain.relations=1"
        )
    vocabulary = encoder.vocabulary if options.tokenizer is None else Vocabulary.of(load_tokenizer(options.tokenizer))
    if vocabulary.mask is None:
        raise InputError(
            "the pre-training masks tokens, and the tokenizer has no mask token: leave it out with "
            "--set pretrain.steps=0"
        )
    settled(losses_of(options), teacher, encoder.config, vocabulary)
    longest = min((one.longest for one in (teacher, encoder) if one.longest is not None), default=None)
    if longest is not None and options.sequence_length > longest:
        raise InputError(
            f"pretrain.sequence_length is {options.sequence_length}, the teacher has positions for {longest}"
        )


def require_forms(settings: Settings) -> None:
    """Refuse what could not be exported or timed in the end.

    Raises:
        ImportError: for a form whose runtime is not installed, or when none is.
        ValueError: for a form that is not timed.
    """
    asked: Sequence[ArtifactName] = settings["export"].get("artifacts", ())
    if not asked:
        raise MissingPackageError(f"there is nothing to export to: pip install {any_of_extras()}")
    bench = settings["bench"]
    timed = {
        name
        for (runtime, precision), name in ARTIFACTS.items()
        if runtime in bench["runtime"] and precision in bench["precision"]
    }
    for name in asked:
        FORMS[name].require()
        if name not in timed:
            raise InputError(
                f"export.artifacts has {name}, which may be chosen and would not be timed: leave it out, or see that "
                f"bench.runtime and bench.precision have it (bench times {', '.join(ARTIFACTS.values())})"
            )


def require_joinable(settings: Settings, task: Task) -> None:
    """Refuse a cascade that could not be made in the end.

    Raises:
        ValueError: for a task without classes, and forms none of which has 8-bit integers.
    """
    if not task.kind.has_classes:
        raise InputError(
            "--cascade is of classes: of numbers and of several labels nobody says how sure they are; leave it out"
        )
    whole: Sequence[ArtifactName] = settings["export"].get("artifacts", ())
    if not any(FORMS[name].precision == "int8" for name in whole):
        small = ", ".join(name for name, form in FORMS.items() if form.precision == "int8")
        raise InputError(
            f"--cascade asks the teacher in 8-bit integers, and export.artifacts has no such form "
            f"({', '.join(whole)}): add one of {small}"
        )


def require_cells(settings: Settings, length: int, longest: int) -> None:
    """Refuse a bench that would leave out what targets are judged by: one text of ``length`` tokens.

    Args:
        settings: filled.
        length: of the texts that the targets are for.
        longest: tokens that the teacher has positions for.

    Raises:
        ValueError: naming the setting.
    """
    bench = settings["bench"]
    if length not in bench["sequence_length"]:
        raise InputError(f"bench.sequence_length must have {length}, which targets are judged at: add it")
    if 1 not in bench.get("batch_size", (1,)):
        raise InputError("bench.batch_size must have 1, which targets are judged at: add it")
    if (most := max(bench["sequence_length"])) > longest:
        raise InputError(f"bench.sequence_length has {most}, the teacher has positions for {longest} tokens")
