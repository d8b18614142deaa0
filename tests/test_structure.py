"""The laws of the source tree, checked by a machine: layers, imports, docstrings, and the maps of the tree."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

HEAVY = {"torch", "transformers", "tokenizers", "optuna", "plotly", "pyarrow", "sklearn", "scipy", "datasets"}
NO_TENSORS = {"subarch.networks.space", "subarch.extraction.search", "subarch.extraction.certificate"}
MAP = "CONTRIBUTING.md"
LAYER = re.compile(r"[\w.]+")


def modules(root: Path) -> dict[str, Path]:
    """Dotted name to file, for every module under ``root/src``, packages included."""
    found = {}
    for path in sorted((root / "src" / "subarch").rglob("*.py")):
        parts = path.relative_to(root / "src").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def configuration(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def run_python(program: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, so that nothing which the tests imported counts."""
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=cwd, capture_output=True, text=True)


# ---------------------------------------------------------------------- layers


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the tree at ``root``, which goes before any installed copy."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True, no_logo=True))"
    )
    return run_python(program, str(root / "src"), cwd=root)


def test_dependencies_point_down(repository: Path) -> None:
    outcome = lint_imports(repository)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("networks/space.py", "import subarch.text"),
        ("networks/space.py", "def late():\n    from subarch import running\n    import subarch.learning.made_up"),
        ("telling/made_up.py", "import subarch.testing"),
    ],
)
def test_an_upward_or_sideways_import_is_refused(repository: Path, tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(repository / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(text.replace("(subarch.learning.training)", "(subarch.learning.made_up)"))
    for extra in ("testing.py", "learning/made_up.py", module):
        with (tmp_path / "src" / "subarch" / extra).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n" if extra == module else "\n")
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1
    assert "BROKEN" in outcome.stdout, outcome.stdout + outcome.stderr


def test_every_module_belongs_to_a_layer(repository: Path) -> None:
    contract = configuration(repository)["tool"]["importlinter"]["contracts"][0]
    layers = [name for line in contract["layers"] for name in LAYER.findall(line)]
    assert len(set(layers)) == len(layers)
    outside = [
        name
        for name, path in modules(repository).items()
        if path.name != "__init__.py" and not any(name == layer or name.startswith(f"{layer}.") for layer in layers)
    ]
    assert not outside, f"name these in [tool.importlinter] of pyproject.toml: {outside}"


def test_packages_hold_no_code_beside_the_root(repository: Path) -> None:
    # A package's __init__ belongs to no layer, so code in it would escape the contract.
    for name, path in modules(repository).items():
        if path.name == "__init__.py" and name != "subarch":
            body = ast.parse(path.read_text(encoding="utf-8")).body
            assert all(isinstance(node, ast.Expr) for node in body), f"{name}/__init__.py holds more than a docstring"


def test_the_search_core_handles_no_tensors(repository: Path) -> None:
    found = {name: path for name, path in modules(repository).items() if name in NO_TENSORS}
    assert "subarch.networks.space" in found
    tensors = {name: imported(path) & {"torch", "transformers"} for name, path in found.items()}
    assert not any(tensors.values()), tensors


# ---------------------------------------------------------------------- imports

# Stands before the usual finders. Packages outside the required ones look as if they were not installed, to `import`
# and to importlib.util.find_spec alike: libraries ask the latter to learn what they may use.
ONLY_REQUIRED = """
import importlib, json, sys
from importlib.machinery import PathFinder

names, hidden = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))

class OnlyRequired(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = OnlyRequired
for name in hidden & set(sys.modules):
    del sys.modules[name]
for name, leaf in names.items():
    try:
        importlib.import_module(name)
    except ImportError as error:
        assert leaf and "pip install 'subarch[" in str(error), (name, error)
    else:
        assert not leaf, name
print(json.dumps(sorted(hidden & set(sys.modules))))
"""


def distributions_required(repository: Path) -> set[str]:
    """Normalised names of the required dependencies and theirs, extras left out."""
    from importlib import metadata

    from packaging.requirements import Requirement

    todo = [Requirement(line) for line in configuration(repository)["project"]["dependencies"]]
    found: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            todo += [Requirement(line) for line in metadata.requires(name) or []]
    return found


LEAVES = tuple(f"subarch.running.{name}" for name in ("onnx", "onnx_export", "openvino", "openvino_export"))
"""Modules that stand for an optional library: without it their import names the extra."""


def test_every_module_imports_with_the_required_dependencies_alone(repository: Path) -> None:
    from importlib import metadata

    required = distributions_required(repository) | {"subarch"}
    hidden = [
        name
        for name, owners in metadata.packages_distributions().items()
        if required.isdisjoint(re.sub(r"[-_.]+", "-", owner).lower() for owner in owners)
    ]
    assert "pytest" in hidden and "pyarrow" in hidden
    names = {name: name in LEAVES for name in modules(repository)}
    outcome = run_python(ONLY_REQUIRED, json.dumps(names), json.dumps(hidden), cwd=repository)
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout.splitlines()[-1]) == []


# As on Windows, where Python has none of these, and where a wake-up descriptor takes sockets alone. Libraries were told
# by the system what they may import, so they come first.
NOT_POSIX = """
import importlib, json, os, signal, socket, sys
names, commands = json.loads(sys.argv[1])
for name in names:
    importlib.import_module(name)
for name in names:
    del sys.modules[name]
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog"):
    sys.modules[name] = None
for name in ("fork", "forkpty", "getuid", "geteuid", "sched_getaffinity", "killpg", "getpgid", "setsid", "wait4"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "alarm", "setitimer", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
before = signal.set_wakeup_fd
def set_wakeup_fd(handle, **given):
    if handle != -1:
        socket.socket(fileno=os.dup(handle)).close()
    return before(handle, **given)
signal.set_wakeup_fd = set_wakeup_fd
for name in names:
    importlib.import_module(name)
from subarch.cli import main
for command in commands:
    assert main([*command, "--help"]) == 0, command
"""


def test_every_module_imports_and_helps_where_the_system_is_not_posix(repository: Path) -> None:
    from subarch.cli import COMMANDS

    names = [name for name in modules(repository) if name not in LEAVES]
    given = json.dumps([names, [[], *([command] for command in COMMANDS)]])
    outcome = run_python(NOT_POSIX, given, cwd=repository)
    assert outcome.returncode == 0, outcome.stderr


def test_the_package_and_its_command_line_import_nothing_heavy(repository: Path) -> None:
    names = [name for name in ("subarch", "subarch.cli") if name in modules(repository)]
    program = "import importlib, json, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    outcome = run_python(program + "print(json.dumps(list(sys.modules)))", *names, cwd=repository)
    assert outcome.returncode == 0, outcome.stderr
    assert HEAVY.isdisjoint(json.loads(outcome.stdout))


# ---------------------------------------------------------------------- words


def test_every_module_says_what_it_is(repository: Path) -> None:
    silent = [n for n, p in modules(repository).items() if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert not silent, f"no docstring: {silent}"


def tree(page: Path) -> dict[str, str]:
    """Path to description, from a page's block that begins with ``src/subarch/``; two spaces a level."""
    block = re.search(r"```(?:text)?\n(src/subarch/.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert block, f"{page.name} has no file tree"
    found: dict[str, str] = {}
    above: list[str] = []
    for line in block.group(1).splitlines():
        entry, _, description = line.strip().partition(" ")
        above = [*above[: (len(line) - len(line.lstrip())) // 2], entry]
        found["".join(above)] = description.strip()
    return found


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_maps_describe_what_exists(name: str, repository: Path) -> None:
    listed = tree(repository / name)
    assert all(listed.values()), f"no description: {[path for path, text in listed.items() if not text]}"
    absent = [path for path in listed if not (repository / path).exists()]
    assert not absent, f"{name} lists files that do not exist: {absent}"


def test_the_map_lists_every_file_and_the_readme_every_package(repository: Path) -> None:
    paths = {path.relative_to(repository).as_posix() for path in modules(repository).values()}
    unlisted = sorted({path for path in paths if not path.endswith("/__init__.py")} - set(tree(repository / MAP)))
    assert not unlisted, f"{MAP} does not list: {unlisted}"
    packages = {path.removesuffix("__init__.py") for path in paths if path.endswith("/__init__.py")}
    assert packages <= set(tree(repository / "README.md"))


def test_the_readme_is_short(repository: Path) -> None:
    assert len((repository / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


# Modules whose tests stand elsewhere still. Whoever gives one tests at its path takes it out; nothing comes in.
# fmt: off
ELSEWHERE = {
    "agora/comparison.py", "agora/data.py", "agora/estimators.py", "agora/ledger.py", "commands.py", "demo.py",
    "extraction/certificate.py", "extraction/claims.py", "extraction/conclusions.py", "extraction/frontier.py",
    "extraction/material.py", "extraction/opening.py", "extraction/points.py", "extraction/prediction.py",
    "extraction/problem.py", "extraction/question.py", "extraction/study.py", "jobs/answering.py",
    "jobs/benchmark.py", "jobs/estimate.py", "jobs/evaluation.py", "jobs/extraction.py", "jobs/finetuning.py",
    "jobs/plan.py", "jobs/preconditions.py", "jobs/starts.py", "learning/checkpoints.py", "learning/classifier.py",
    "learning/devices.py", "learning/journal.py", "learning/proposals.py", "learning/students.py", "manifest.py",
    "networks/auditing.py", "networks/comparing.py", "networks/configs.py", "networks/constraints.py",
    "networks/countmodels.py", "networks/family.py", "networks/fitting.py", "networks/folders.py",
    "networks/outputs.py", "networks/parameters.py", "networks/ranking.py", "networks/sentences.py",
    "networks/weights.py", "options/compression.py", "options/forms.py", "options/pretraining.py",
    "options/running.py", "options/search.py", "options/tasks.py", "options/values.py", "progress.py",
    "results/bench.py", "results/check.py", "results/classes.py", "results/compress.py", "results/demo.py",
    "results/evaluate.py", "results/export.py", "results/extract.py", "results/finetune.py", "results/inspect.py",
    "results/ladder.py", "results/predict.py", "results/pretrain.py", "results/report.py", "results/submit.py",
    "results/verify.py", "running/conversion.py", "running/graphs.py", "running/onnx.py", "running/onnx_export.py",
    "running/openvino.py", "running/openvino_export.py", "running/processor.py", "small.py", "tasks/kinds/base.py",
    "tasks/kinds/choice.py", "tasks/kinds/classes.py", "tasks/kinds/classification.py", "tasks/kinds/regression.py",
    "tasks/kinds/table.py", "tasks/task.py", "telling/card.py", "telling/console.py", "telling/figures.py",
    "telling/notebook.py", "telling/page.py", "telling/plots.py", "telling/stages.py", "telling/trust.py",
    "text/delimited.py", "text/predictions.py", "text/tables.py",
}
# fmt: on


def test_tests_stand_at_the_path_of_the_code(repository: Path) -> None:
    without = set[str]()
    for path in (path for path in modules(repository).values() if not path.name.startswith("__")):
        inside = path.relative_to(repository / "src" / "subarch")
        if not (repository / "tests" / inside.parent / f"test_{inside.name}").is_file():
            without.add(inside.as_posix())
    assert without - ELSEWHERE == set(), "give these tests at their path"
    assert without == ELSEWHERE, "these have tests at their path now: take them out of ELSEWHERE"


def public_classes(path: Path) -> set[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


# Names of classes with more than one meaning still. Nothing comes in.
# fmt: off
AMBIGUOUS = {
    "Labels", "Learner", "Ledger", "Objective", "Program", "Recipe", "Record", "Rows", "Run",
}
# fmt: on


def test_a_public_class_name_has_one_meaning(repository: Path) -> None:
    homes: dict[str, list[str]] = {}
    for module, path in modules(repository).items():
        for name in public_classes(path):
            homes.setdefault(name, []).append(module)
    several = {name for name, found in homes.items() if len(found) > 1}
    assert several - AMBIGUOUS == set(), {name: homes[name] for name in several - AMBIGUOUS}
    assert several == AMBIGUOUS, "these have one meaning now: take them out of AMBIGUOUS"


def test_every_benchmark_is_listed(repository: Path) -> None:
    text = (repository / "benchmarks" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- `(\w+)`: \S", text, re.MULTILINE)
    assert sorted(listed) == sorted(
        path.stem for path in (repository / "benchmarks").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
    )


def test_the_package_shows_its_commands_and_stays_cheap_to_import() -> None:
    line = "import sys, subarch; assert 'torch' not in sys.modules; print(*(getattr(subarch, n) for n in dir(subarch)))"
    shown = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout
    for name in ("compress", "extract", "pretrain", "finetune", "evaluate", "export", "bench", "Predictor"):
        assert name in shown


# ---------------------------------------------------------------------- kinds of tasks

KIND_WORDS = {"classification", "regression", "choice"}
# What reads the files of others names the kinds that these know.
FOREIGN_FORMATS = {
    "subarch.text.official",  # the benchmarks' own labels
    "subarch.text.predictions",  # the portals' own answers
    "subarch.text.submissions",
    "subarch.networks.checkpoints",  # heads of stock configs
    "subarch.networks.outputs",
    "subarch.running.graphs",  # the same of exported graphs
    "subarch.running.predictor",
    "subarch.running.parity",
    "subarch.jobs.export",
    "subarch.jobs.plan",
    "subarch.telling.card",
}


def test_no_module_asks_which_kind_of_task_there_is(repository: Path) -> None:
    found = set()
    for name, path in modules(repository).items():
        if name.startswith("subarch.tasks.kinds"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                words = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
                found |= {name} if words & KIND_WORDS else set()
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("subarch.tasks.kinds"):
                assert (node.module or "").rpartition(".")[2] in ("base", "table"), f"{name} imports {node.module}"
    assert found <= FOREIGN_FORMATS, f"ask the kind instead: {sorted(found - FOREIGN_FORMATS)}"


def test_kinds_are_known_without_torch(repository: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from subarch.tasks.kinds.table import KINDS, kind_of; "
        "[kind_of(name) for name in KINDS]; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    outcome = run_python(program, str(repository / "src"), cwd=repository)
    assert outcome.returncode == 0, outcome.stderr
