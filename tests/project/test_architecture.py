"""The rooms and their floors: a folder is one stage, and imports only from floors below its own.

A room is a folder of the package, or a file at its top. The imports are parsed, not executed, so
that one inside a function, or for the type checker alone, counts as well.
"""

import ast
import re
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gradcompile"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("support",),
    ("ieee", "vector", "products", "blocks", "opaque"),
    ("ops",),
    ("ir",),
    ("graph", "passes", "autodiff", "loops"),
    ("roll", "emit", "own"),
    ("jit", "verify"),
    ("show",),
    ("compiler",),
    ("batch", "check", "linalg", "nn", "optim", "symbolic"),
    ("api",),
    ("problems",),
    ("__init__", "demos"),
    ("cli",),
    ("__main__",),
)
"""The rooms, from the ground floor up; rooms of one floor do not import each other."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

ONLY = {
    "numba": {
        "jit",
        "jit.boxing",
        "jit.cache",
        "jit.called",
        "jit.linked",
        "jit.meanings",
        "jit.parts",
        "jit.pipelines",
        "jit.scratch",
        "jit.tiles",
        "jit.wrapper",
    },
    "llvmlite": {
        "jit.boxing",
        "jit.called",
        "jit.linked",
        "jit.meanings",
        "jit.numpy_abi",
        "jit.scratch",
        "jit.tiles",
        "jit.wrapper",
    },
    "sympy": {"verify.symbols", "symbolic.words"},
    "mpmath": {"verify.digits"},
    "graphviz": {"show.drawing"},
    "matplotlib": {"demos.plot"},
    "scipy": {"compiler.sparse", "problems.minimize"},
    "torch": set(),
    "jax": set(),
}
"""Who may import what, anywhere in the module; whatever is not listed is free."""

HEAVY = (
    "numba",
    "llvmlite",
    "sympy",
    "mpmath",
    "graphviz",
    "rich",
    "pygments",
    "tqdm",
    "matplotlib",
)
"""What `import gradcompile` must not load."""

EXTRA = {"matplotlib": "examples", "scipy": "solvers"}
"""What an extra brings: imported in functions only, by who says what to do without it."""

COMES_WITH = {"mpmath": "sympy", "pygments": "rich", "llvmlite": "numba"}


class Import(NamedTuple):
    """One import: who, what, and when: at once, in a function, or for the type checker alone."""

    module: str
    target: str
    when: str


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_in(module, source):
    """Every import of a module; one of the package's own is named without the package."""
    found = []

    def targets(node):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield "gradcompile.__init__" if alias.name == "gradcompile" else alias.name
        elif node.level:
            yield f"relative import of {node.module}"
        elif node.module == "gradcompile" or node.module.startswith("gradcompile."):
            for alias in node.names:
                name = f"{node.module}.{alias.name}".removeprefix("gradcompile.")
                whole = "gradcompile.__init__" if node.module == "gradcompile" else node.module
                yield f"gradcompile.{name}" if name in FILES else whole
        else:
            yield node.module

    def walk(node, when):
        for child in ast.iter_child_nodes(node):
            inner = when
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inner = "deferred" if when == "at once" else when
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                inner = "types"
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets(child):
                    found.append(Import(module, target.removeprefix("gradcompile."), when))
            walk(child, inner)

    walk(ast.parse(source), "at once")
    return found


def all_imports():
    return [
        found
        for module, path in FILES.items()
        for found in imports_in(module, path.read_text(encoding="utf-8"))
    ]


IMPORTS = all_imports()


def is_own(found):
    return found.target in FILES


def room(module):
    return module.split(".")[0]


def not_downward(imports):
    """Imports of another room that is not on a lower floor."""
    return [
        found
        for found in imports
        if is_own(found)
        and room(found.target) != room(found.module)
        and FLOOR[room(found.target)] >= FLOOR[room(found.module)]
    ]


def circle(imports):
    """A circle of modules that import each other, in whatever way; None if there is none."""
    graph = {}
    for found in imports:
        if is_own(found) and found.target != found.module:
            graph.setdefault(found.module, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_every_room_has_a_floor():
    assert {room(module) for module in FILES} == set(FLOOR)
    assert len(FLOOR) == sum(map(len, FLOORS)), "a room on two floors"


def test_imports_go_down():
    assert not_downward(IMPORTS) == []


def test_no_modules_import_each_other():
    assert circle(IMPORTS) is None


def test_every_folder_lists_its_files():
    for folder in {path.parent for path in FILES.values()} - {PACKAGE}:
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        listed = re.findall(r"^ *(\w+)\.py +\S", text, re.MULTILINE)
        files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        assert sorted(listed) == sorted(files), folder.name


def test_imports_are_absolute():
    assert [found for found in IMPORTS if "relative" in found.target] == []


def importers(package):
    return {f.module for f in IMPORTS if f.target.split(".")[0] == package}


@pytest.mark.parametrize("package", ONLY)
def test_one_module_imports_it(package):
    assert importers(package) <= ONLY[package]


@pytest.mark.parametrize("package", ["numba", "sympy", "graphviz"])
def test_the_importer_is_there(package):
    assert importers(package) == ONLY[package], "the test looks for the wrong thing"


def third_party():
    tops = {f.target.split(".")[0] for f in IMPORTS if not is_own(f)}
    return tops - sys.stdlib_module_names - {"gradcompile"}


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    providers = packages_distributions()
    for package in third_party():
        extra = EXTRA.get(package)
        texts = project["optional-dependencies"][extra] if extra else project["dependencies"]
        declared = {re.split(r"[\s<>=!~\[]", text)[0].lower() for text in texts}
        names = {COMES_WITH.get(package, package), *map(str.lower, providers.get(package, []))}
        assert names & declared, f"{package} is imported but not declared"


def test_what_an_extra_brings_is_imported_when_it_is_used():
    when = {f.when for f in IMPORTS if f.target.split(".")[0] in EXTRA}
    assert when - {"types"} == {"deferred"}


def test_import_gradcompile_is_light(run_python):
    loaded = run_python("import sys, gradcompile; print(*sys.modules)").split()
    assert "gradcompile.ops.table" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_architecture_page_shows_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(\d+) *\| *([^|]*)\|", page, re.MULTILINE)
    documented = {
        name.removesuffix(".py").removesuffix("/"): int(number)
        for number, names in rows
        for name in re.findall(r"`([\w./]+)`", names)
    }
    assert documented == FLOOR


# --- the test can fail -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "when"),
    [
        ("from gradcompile.compiler import kernel", "at once"),
        ("import gradcompile.compiler.kernel", "at once"),
        ("from gradcompile.compiler.kernel import Kernel", "at once"),
        ("def f():\n    from gradcompile.compiler import kernel", "deferred"),
        ("class A:\n    def f(self):\n        import gradcompile.compiler.kernel", "deferred"),
        (
            "try:\n    import gradcompile.compiler.kernel\nexcept ImportError:\n    pass",
            "at once",
        ),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from gradcompile.compiler import kernel",
            "types",
        ),
    ],
)
def test_an_upward_import_is_found(source, when):
    found = [(f.target, f.when) for f in not_downward(imports_in("ops.op", source))]
    assert found == [("compiler.kernel", when)]


@pytest.mark.parametrize("source", ["import gradcompile", "from gradcompile import compile"])
def test_an_import_of_the_whole_is_upward(source):
    assert [f.target for f in not_downward(imports_in("ops.op", source))] == ["__init__"]


@pytest.mark.parametrize(
    "source", ["from gradcompile import ieee", "# import gradcompile.compiler.kernel"]
)
def test_other_imports_are_not(source):
    assert not_downward(imports_in("ops.op", source)) == []


def test_an_import_of_the_same_floor_is_found():
    source = "from gradcompile.passes import fold"
    assert [f.target for f in not_downward(imports_in("graph.value", source))] == ["passes.fold"]


def test_a_circle_is_found():
    there = imports_in("ir.program", "def f():\n    from gradcompile.ir import nests")
    back = imports_in("ir.nests", "if TYPE_CHECKING:\n    from gradcompile.ir import program")
    assert circle(there) is None
    assert set(circle([*there, *back])) == {"ir.program", "ir.nests"}
