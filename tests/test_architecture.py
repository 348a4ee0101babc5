"""The layers: a module imports from its own layer and from those below, never from above.

The imports are parsed, not executed, so that one inside a function counts as well.
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

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gradcompile"

LAYERS: tuple[tuple[str, ...], ...] = (
    # 0: what operations mean, and helpers that know nothing of the package
    (
        "ieee", "ops", "operators", "syntax", "names", "tree", "template", "cache", "collector",
        "stages", "functions", "batches", "products", "vector", "threads", "plain", "rows",
    ),
    # 1: the two representations of a computation
    ("value", "ir"),
    # 2: from one to the other, and from program to program
    (
        "trace", "lower", "numbered", "snippet", "reverse", "interpret", "run_nests", "numeric",
        "passes", "passes.rewrite", "passes.fold", "passes.rules", "passes.match",
        "passes.simplify", "passes.cse", "passes.dce", "passes.capture",
        "nests", "roll", "roll.forms", "roll.groups", "roll.scans", "roll.affine", "roll.arrays",
        "roll.data", "roll.build", "roll.fuse", "roll.block", "roll.views", "roll.products",
        "roll.memory",
    ),
    # 3: from programs to text, and what is made of text
    (
        "split", "layout", "emit", "emit_calls", "emit_nests", "fingerprint", "reader",
        "symbolic", "report", "verify", "jit", "jit.meanings", "jit.store", "jit.tiles",
        "jit.widest", "wide", "drawing", "structure",
    ),
    # 4: the pipeline end to end
    ("options", "build", "kernel", "compiler", "batch_build", "batch", "check"),
    # 5: what is built on the compiler, and the public names
    ("nn", "optim", "two_moons", "plot", "terminal", "demo", "cli", "__main__", "__init__"),
)  # fmt: skip

LAYER = {module: number for number, modules in enumerate(LAYERS) for module in modules}

UPWARD = {("value", "drawing")}
"""A request, not a dependency: a Value that a notebook shows asks for its picture, then."""

ONLY = {
    "numba": {"jit", "jit.meanings", "jit.store", "jit.tiles", "jit.widest"},
    "llvmlite": {"jit.meanings", "jit.tiles"},
    "sympy": {"symbolic"},
    "mpmath": {"symbolic"},
    "graphviz": {"drawing"},
    "matplotlib": {"plot"},
    "scipy": set(),
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

EXTRA = {"matplotlib": "examples"}
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
            yield from (alias.name for alias in node.names)
        elif node.level:
            yield f"relative import of {node.module}"
        elif node.module == "gradcompile":
            for alias in node.names:
                own = alias.name in FILES
                yield f"gradcompile.{alias.name}" if own else "gradcompile.__init__"
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


def upward(imports):
    return [
        found
        for found in imports
        if is_own(found) and found.when != "types" and LAYER[found.target] > LAYER[found.module]
    ]


def test_every_module_has_a_layer():
    assert set(FILES) <= set(LAYER), "give new modules a place in LAYERS"
    assert len(LAYER) == sum(map(len, LAYERS)), "a module in two layers"


def test_no_module_imports_from_above():
    edges = [f for f in upward(IMPORTS) if (f.module, f.target) not in UPWARD]
    assert edges == []


def test_the_exceptions_exist_and_are_deferred():
    edges = {(f.module, f.target): f.when for f in upward(IMPORTS)}
    assert set(edges) == UPWARD, "an exception that is no longer needed"
    assert set(edges.values()) == {"deferred"}


def test_imports_within_a_layer_have_no_cycle():
    graph = {module: set() for module in FILES}
    for found in IMPORTS:
        if is_own(found) and found.when == "at once" and found.target != found.module:
            graph[found.module].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' → '.join(error.args[1])}")


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
    assert {f.when for f in IMPORTS if f.target.split(".")[0] in EXTRA} == {"deferred"}


def test_import_gradcompile_is_light(run_python):
    loaded = run_python("import sys, gradcompile; print(*sys.modules)").split()
    assert "gradcompile.ops" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_the_architecture_page_lists_every_module_in_its_layer():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| *(\d*) *\| *`([\w/]+)\.py` *\|", page, re.MULTILINE)
    documented = {
        name.replace("/", ".").removesuffix(".__init__"): int(layer) if layer else None
        for layer, name in rows
    }
    assert set(documented) == set(FILES)
    for module, layer in documented.items():
        assert layer in (None, LAYER[module]), module


# --- the test can fail -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "when"),
    [
        ("from gradcompile.compiler import compile", "at once"),
        ("import gradcompile.compiler", "at once"),
        ("from gradcompile import compiler", "at once"),
        ("def f():\n    from gradcompile import compiler", "deferred"),
        ("class A:\n    def f(self):\n        import gradcompile.compiler", "deferred"),
        ("try:\n    import gradcompile.compiler\nexcept ImportError:\n    pass", "at once"),
    ],
)
def test_an_upward_import_is_found(source, when):
    assert [(f.target, f.when) for f in upward(imports_in("ops", source))] == [("compiler", when)]


@pytest.mark.parametrize(
    "source",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gradcompile import compiler",
        "from gradcompile import ieee",
        "# import gradcompile.compiler",
    ],
)
def test_other_imports_are_not(source):
    assert upward(imports_in("ops", source)) == []
