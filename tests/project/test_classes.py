"""Classes stay small, or say why not; each type of array has one name, in one place."""

import ast

import pytest

from tests.project.test_architecture import FILES

MOST_LINES = 150
MOST_METHODS = 15

LARGER = {
    "ops.operators.Operators": "a method for each of Python's operators, of a line or two",
    "roll.forms.Forms": "one walk over a program; what it has met so far is read at every step",
}
"""Classes that are larger, each with the reason."""


def classes_in(module, source):
    """Every class of a module: its name, its lines and its methods."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            methods = [x for x in node.body if isinstance(x, ast.FunctionDef)]
            lines = node.end_lineno - node.lineno + 1
            found[f"{module}.{node.name}"] = (lines, len(methods))
    return found


def is_large(lines, methods):
    return lines > MOST_LINES or methods > MOST_METHODS


CLASSES = {
    name: size
    for module, path in FILES.items()
    for name, size in classes_in(module, path.read_text(encoding="utf-8")).items()
}


def test_classes_are_small_or_say_why_not():
    large = {name: size for name, size in CLASSES.items() if is_large(*size)}
    assert {name: size for name, size in large.items() if name not in LARGER} == {}


def test_what_is_small_again_needs_no_reason():
    assert [name for name in LARGER if name not in CLASSES or not is_large(*CLASSES[name])] == []


@pytest.mark.parametrize(
    "body",
    ["    x = 1\n" * MOST_LINES, "    def f(self): ...\n" * (MOST_METHODS + 1)],
    ids=["lines", "methods"],
)
def test_a_large_class_is_found(body):
    (size,) = classes_in("ops.op", f"def f():\n class A:\n{body}").values()
    assert is_large(*size)


def test_fields_are_no_methods():
    source = "class A:\n" + "    x: int\n" * (MOST_METHODS + 1)
    assert classes_in("ops.op", source) == {"ops.op.A": (MOST_METHODS + 2, 0)}


def test_one_word_is_one_class():
    names = [name.rpartition(".")[2] for name in CLASSES]
    assert sorted({x for x in names if names.count(x) > 1 and not x.startswith("_")}) == []


# --- types of arrays ---------------------------------------------------------------------------


def array_aliases(source):
    """The names that a module gives to types of arrays."""
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                pass
            case _:
                continue
        if any(ast.unparse(x).endswith(("ndarray", "NDArray")) for x in named(value)):
            yield name


def named(value):
    """The types that a value is made of; what it holds, such as the items of a list, is not."""
    if isinstance(value, ast.Subscript):
        yield value.value
    elif isinstance(value, ast.Attribute | ast.Name):
        yield value
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        yield from (*named(value.left), *named(value.right))


def test_types_of_arrays_are_named_in_one_place():
    found = {
        module: names
        for module, path in FILES.items()
        if (names := list(array_aliases(path.read_text(encoding="utf-8"))))
    }
    assert found == {
        "support.arrays": ["AnyArray", "FloatArray", "IntArray", "BitsArray", "BoolArray"]
    }


@pytest.mark.parametrize(
    "source",
    [
        "Array = np.ndarray",
        "Rows = np.ndarray[Any, np.dtype[np.float64]] | None",
        "Rows: TypeAlias = npt.NDArray[np.float64]",
    ],
)
def test_an_alias_is_found(source):
    assert list(array_aliases(source))


@pytest.mark.parametrize(
    "source", ["IS_ARRAY = isinstance(x, np.ndarray)", "Rows = list[np.ndarray[Any, Any]]", "y = 1"]
)
def test_other_assignments_are_no_aliases(source):
    assert list(array_aliases(source)) == []
