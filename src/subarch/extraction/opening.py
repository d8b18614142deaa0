"""From options to what a run needs to know: source, counts, question, error function; nothing is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from subarch.errors import InputError
from subarch.extraction.conclusions import digest
from subarch.extraction.objectives import CandidateError
from subarch.extraction.preparation import source_in
from subarch.extraction.problem import Claim, Problem
from subarch.extraction.question import Question
from subarch.networks.countmodels import CountModel
from subarch.networks.fitting import fit_counts
from subarch.networks.sources import Source, open_source
from subarch.networks.space import Architecture, Space
from subarch.options.search import ExtractOptions
from subarch.results.base import Json

LISTED_TO_CHECK = 4096
_LIMIT_WORDS = {
    "parameters": "at most {} parameters",
    "macs": "at most {} operations",
    "latency_ms": "at most {} ms",
    "speedup": "at most {} ms (the reference's time by the speed-up)",
}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Everything that a run needs to know before the first training."""

    options: ExtractOptions
    source: Source
    counts: CountModel
    question: Question
    error: CandidateError


def read_space(path: Path | None) -> Space | None:
    """A space from its JSON file.

    Raises:
        ValueError: when the file holds none.
        OSError: when it cannot be read.
    """
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OSError(f"--space {path} cannot be read: {error.strerror or error}; check the path") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--space {path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"--space {path} must hold a JSON object, got {type(data).__name__}")
    return Space.from_json(cast("dict[str, Any]", data))


def read_reference(text: str | None) -> Architecture | None:
    """A reference architecture from JSON or from a file that holds it.

    Raises:
        ValueError: when it is neither.
    """
    if text is None:
        return None
    try:
        data = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f'--reference is a JSON object such as {{"num_hidden_layers": 24}} or a file that holds one; {text!r} is '
            f"no object and cannot be read as a file ({error.strerror or error})"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--reference is not JSON: {error}") from error
    if not isinstance(data, dict) or not data:
        raise InputError(f'--reference must be a JSON object such as {{"num_hidden_layers": 24}}, got {data!r}')
    for name, value in cast("dict[str, Any]", data).items():
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise InputError(f"--reference: {name} must be a number or a word, got {json.dumps(value)}")
    return cast("Architecture", data)


def open_run(options: ExtractOptions, *, steps: int | None = None, run: Path | None = None) -> Opened:
    """Open source, counts, question and error function; reads no weights yet and writes nothing.

    Args:
        options: of the search.
        steps: instead of theirs.
        run: its directory, where the smaller source lies that the option ``vocabulary`` asks for; theirs when not
            given.

    Raises:
        ValueError: for whatever is wrong with the options; the message says what to do.
    """
    run = run or options.run
    given = options.source if run is None else source_in(run, options.source, options.vocabulary)
    source = open_source(given, space=read_space(options.space), reference=read_reference(options.reference))
    source = replace(source, name=options.source)  # what it is called, whatever was cut away
    require_members(source.family.space)
    question = question_of(options, source.family.reference)
    counts = fit_counts(source.family, options.sequence_length)
    counts.require_countable()
    if not question.needs_latency:  # otherwise as soon as there is a latency table
        require_possible(question.problem(source.family, counts, None, 0.0))
    return Opened(
        options=options, source=source, counts=counts, question=question, error=measured_with(options, source, steps)
    )


def question_of(options: ExtractOptions, reference: Architecture) -> Question:
    """What the options ask."""
    claim: Claim = options.claim or ("constrained" if options.limits else "w")
    return Question(
        claim=claim,
        epsilon=options.epsilon if options.strategy != "interval" else 0.1,
        reference=reference,
        cost=options.cost,
        sequence_length=options.sequence_length,
        limits=options.limits,
        delta=options.delta,
        error_floor=options.error_floor,
        coarsest=None if options.strategy == "interval" else options.coarsest_epsilon,
    )


def ask_of(options: ExtractOptions, question: Question, latencies: Json | None) -> str:
    """Digest of what is asked of a search, which the trials carry that it asks for.

    Args:
        options: of the search.
        question: that they pose.
        latencies: the table of times on which it is decided; with another table it is another question.
    """
    asked: Json = {"question": question.to_json(), "strategy": [options.strategy, options.epsilon]}
    return digest(asked if latencies is None else {**asked, "latencies": latencies})


def require_members(space: Space) -> None:
    """Refuse a space in which there is nothing to search.

    Raises:
        ValueError: when no architecture meets the constraints, or none was found in reasonable time.
    """
    if len(space.sample(1, 0)):
        return
    if space.listing(1) is not None:
        raise InputError("the space is empty: no architecture meets its constraints; relax them")
    raise InputError(
        f"no architecture that meets the constraints was found in a grid of {space.num_points} points: relax them, "
        "leave choices out, or write constraints that name fewer parameters each"
    )


def require_possible(problem: Problem) -> None:
    """Refuse a question to which no architecture can be the answer, before anything is trained.

    Raises:
        ValueError: when nothing meets the limits, or nothing is smaller than T, so that W is zero everywhere.
    """
    space = problem.space
    corners = np.array([box.lo for box in space.roots()], dtype=np.int16)
    listed = space.listing(LISTED_TO_CHECK)
    rows = corners if listed is None else listed  # corners: the smallest, a lower bound
    least = rows if listed is not None else corners[space.feasible(corners)]
    problem.costs(
        least if len(least) else space.sample(64, 0)
    )  # refuses what costs nothing, before anything is trained
    if problem.claim == "constrained" and not problem.within(rows).any():
        asked = "; ".join(
            f"{_LIMIT_WORDS[limit.name].format(f'{limit.maximum:.6g}')} was asked, "
            f"the least in the space is {limit.values(rows).min():.6g}"
            for limit in problem.limits
        )
        raise InputError(
            f"no architecture of the space meets the limits: {asked}; relax them or give a --space with smaller choices"
        )
    if problem.claim == "w" and not (problem.costs(rows) < np.array(problem.reference)).all(axis=1).any():
        p, i = problem.reference
        raise InputError(
            f"no architecture of the space is smaller than the reference T in parameters ({p:g}) and cost ({i:g}), "
            "so W is 0 everywhere: give a --space with smaller choices, a larger --reference, or --claim front"
        )


def measured_with(options: ExtractOptions, source: Source, steps: int | None) -> CandidateError:
    """The error function that the options ask for; ``steps`` instead of theirs where given."""
    asked = options.steps_range
    wanted = steps if steps is not None else None if asked is None else asked[0]
    return CandidateError(
        source,
        start=options.start,
        steps=wanted,
        seeds=options.seeds,
        batch_size=options.batch_size,
        held_out=options.held_out,
        learning_rates=options.learning_rates,
        clip_weights=options.clip_weights,
        corpus=options.corpus,
        texts=options.texts,
        data=options.where,
        tokenizer=options.tokenizer,
        threads=options.threads,
    )
