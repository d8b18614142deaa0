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
        ("extraction/claims.py", "import subarch.extraction.search"),  # a cycle: the search reads the claims
        ("extraction/certificate.py", "import subarch.extraction.prediction"),
    ],
)
def test_an_upward_or_sideways_import_is_refused(repository: Path, tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(repository / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(text)
    for extra in ("testing.py", "learning/made_up.py", module):
        with (tmp_path / "src" / "subarch" / extra).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n" if extra == module else "\n")
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1
    assert "BROKEN" in outcome.stdout, outcome.stdout + outcome.stderr


def test_every_module_belongs_to_a_layer(repository: Path) -> None:
    contract = configuration(repository)["tool"]["importlinter"]["contracts"][0]
    assert len(contract["layers"]) <= 25, "a list that nobody can read"
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
for name in names:
    importlib.import_module(name)
for form in importlib.import_module("subarch.running.artifacts").FORMS.values():
    try:
        form.require()
    except ImportError as error:
        assert f"pip install 'subarch[{form.extra}]'" in str(error), (form, error)
    else:
        assert form.extra is None, form
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


def test_every_module_imports_with_the_required_dependencies_alone(repository: Path) -> None:
    from importlib import metadata

    required = distributions_required(repository) | {"subarch"}
    hidden = [
        name
        for name, owners in metadata.packages_distributions().items()
        if required.isdisjoint(re.sub(r"[-_.]+", "-", owner).lower() for owner in owners)
    ]
    assert "pytest" in hidden and "pyarrow" in hidden
    names = list(modules(repository))
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

    names = list(modules(repository))
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
    listed = tree(repository / MAP)
    alike = tuple(path for path, text in listed.items() if text.startswith("a file a "))  # a further one needs no line
    unlisted = sorted(
        path for path in paths - set(listed) if not path.endswith("/__init__.py") and not path.startswith(alike)
    )
    assert not unlisted, f"{MAP} does not list: {unlisted}"
    packages = {path.removesuffix("__init__.py") for path in paths if path.endswith("/__init__.py")}
    assert packages <= set(tree(repository / "README.md"))


def test_the_readme_is_short(repository: Path) -> None:
    assert len((repository / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_tests_stand_at_the_path_of_the_code(repository: Path) -> None:
    without = set[str]()
    for path in (path for path in modules(repository).values() if not path.name.startswith("__")):
        inside = path.relative_to(repository / "src" / "subarch")
        if not (repository / "tests" / inside.parent / f"test_{inside.name}").is_file():
            without.add(inside.as_posix())
    assert without == set(), "give these tests at their path"


# ---------------------------------------------------------------------- sizes

LONGEST = 400  # lines of a module


def test_no_module_is_too_long(repository: Path) -> None:
    lines = {
        path.relative_to(repository / "src" / "subarch").as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in modules(repository).values()
    }
    assert not {name: count for name, count in lines.items() if count > LONGEST}


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, methods and functions inside of others too."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_of_twenty_functions_nineteen_fit_in_thirty_five_lines(repository: Path) -> None:
    found = sorted(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{module}: {node.name}")
        for module, path in modules(repository).items()
        for node in functions(path)
    )
    assert found[-(-95 * len(found) // 100) - 1][0] <= 35, f"the longest: {found[-10:]}"


def test_whatever_is_public_has_a_docstring(repository: Path) -> None:
    silent = [
        f"{module}: {node.name}"
        for module, path in modules(repository).items()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent, f"no docstring: {silent}"


def test_every_function_that_the_package_shows_has_an_example(repository: Path) -> None:
    import doctest

    import subarch

    for name in subarch.__all__:
        shown = getattr(subarch, name)
        if callable(shown) and not isinstance(shown, type):
            assert doctest.DocTestParser().get_examples(shown.__doc__ or ""), f"{name} has no example"


# ---------------------------------------------------------------------- names


def public_classes(path: Path) -> set[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def test_a_public_class_name_has_one_meaning(repository: Path) -> None:
    homes: dict[str, list[str]] = {}
    for module, path in modules(repository).items():
        for name in public_classes(path):
            homes.setdefault(name, []).append(module)
    assert not {name: found for name, found in homes.items() if len(found) > 1}


# What reads JSON that others wrote, and hands it on as it is.
READERS = {
    "subarch.storage:read_json",  # of any file
    "subarch.extraction.verification:load_certificate",  # nothing in it is believed before it is derived again
    "subarch.running.predictor:read_export",  # of earlier versions too, where nothing else is installed
    "subarch.text.tokenizers:_json",  # of a tokenizer's own files
    "subarch.text.tables:_once",  # what the standard library's reader calls for each object
    "subarch.tasks.predictions:_object",  # a line of somebody's submission
}
# Objects whose fields others decide: these alone may be called Json.
FOREIGN_OBJECTS = {
    "subarch.networks.configs", "subarch.networks.encoder", "subarch.networks.family", "subarch.networks.inspection",
    "subarch.networks.stock", "subarch.networks.fields", "subarch.networks.sizing", "subarch.networks.stock_family",
    "subarch.tasks.kinds.base", "subarch.tasks.kinds.choice", "subarch.tasks.kinds.classes",
    "subarch.tasks.kinds.classification", "subarch.tasks.kinds.multilabel", "subarch.tasks.kinds.regression",
    "subarch.tasks.kinds.tokens",
    "subarch.learning.heads",  # stock configs
    "subarch.telling.figures", "subarch.telling.ladder", "subarch.telling.plots", "subarch.telling.stages",  # plotly
    "subarch.telling.report",  # files of a search, of other versions too
    "subarch.extraction.documents", "subarch.extraction.statement", "subarch.extraction.verification",
    "subarch.extraction.material", "subarch.extraction.objectives", "subarch.extraction.textual",  # identities: what
    "subarch.extraction.families",
    "subarch.extraction.study", "subarch.learning.students", "subarch.learning.pretraining",  # a family or source says
}  # fmt: skip


def test_what_travels_is_an_object(repository: Path) -> None:
    loose, foreign = set[str](), set[str]()
    for module, path in modules(repository).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or node.returns is None:
                continue
            returned = ast.unparse(node.returns)
            if re.fullmatch(r"dict\[str, (Any|object)\]( \| None)?", returned):
                loose |= set() if node.name == "to_json" else {f"{module}:{node.name}"}
            foreign |= {module} if re.search(r"\bJson\b", returned) else set()
    assert loose - READERS == set(), "give these a frozen dataclass (subarch.results.base.Record)"
    assert loose == READERS, "these return objects now: take them out of READERS"
    assert foreign == FOREIGN_OBJECTS


def test_every_benchmark_is_listed(repository: Path) -> None:
    text = (repository / "benchmarks" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- `(\w+)`: \S", text, re.MULTILINE)
    assert sorted(listed) == sorted(
        path.stem for path in (repository / "benchmarks").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
    )


def test_every_benchmark_imports(repository: Path) -> None:
    # They are run seldom: a name that has moved would be found out by whoever repeats a figure.
    folder = repository / "benchmarks"
    names = sorted(path.stem for path in folder.glob("*.py"))
    outcome = run_python(f"import sys; sys.path.insert(0, '.'); import {', '.join(names)}", cwd=folder)
    assert outcome.returncode == 0, outcome.stderr


def test_the_package_shows_its_commands_and_stays_cheap_to_import() -> None:
    line = "import sys, subarch; assert 'torch' not in sys.modules; print(*(getattr(subarch, n) for n in dir(subarch)))"
    shown = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout
    for name in ("compress", "extract", "pretrain", "finetune", "evaluate", "export", "bench", "Predictor"):
        assert name in shown


def test_no_package_takes_the_place_of_a_function(repository: Path) -> None:
    # Importing subarch.x would put the package where subarch.x, the function, was.
    import subarch

    assert not {name.removeprefix("subarch.") for name in modules(repository)} & set(subarch.__all__)


# ---------------------------------------------------------------------- kinds of tasks

KIND_WORDS = {"classification", "multilabel", "regression", "choice"}
# What reads the files of others names the kinds that these know.
FOREIGN_FORMATS = {
    "subarch.tasks.official",  # the benchmarks' own labels
    "subarch.tasks.predictions",  # the portals' own answers
    "subarch.tasks.submissions",
    "subarch.networks.checkpoints",  # heads of stock configs
    "subarch.networks.outputs",
    "subarch.running.direct",  # the same of exported graphs
    "subarch.running.graphs",
    "subarch.running.onnx_operators",
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


# ---------------------------------------------------------------------- forms that networks are exported to


def test_no_module_outside_of_them_names_a_form(repository: Path) -> None:
    from subarch.options.forms import ARTIFACT_NAMES, EXPORTED_TO

    named = {*ARTIFACT_NAMES, *EXPORTED_TO}
    found = {
        name
        for name, path in modules(repository).items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in named and not name.startswith("subarch.running.forms.")
    }
    # How one format's runtime is called, and what export.json has had since its first version.
    assert found == {"subarch.options.forms", "subarch.results.export"}, "ask the form instead"


def test_forms_are_known_without_torch_or_a_runtime(repository: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from subarch.options.forms import EXPORTED_TO; "
        "from subarch.running.artifacts import FORMS; assert FORMS; "
        "sys.exit(bool({'torch', 'transformers', 'onnx', *EXPORTED_TO} & set(sys.modules)))"
    )
    outcome = run_python(program, str(repository / "src"), cwd=repository)
    assert outcome.returncode == 0, outcome.stderr
