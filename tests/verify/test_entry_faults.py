"""A fault put into the text of a Jacobian, a Hessian or a product is found by reading that text.

Texts of every kind are changed in one place: a sign, an operand, a missing contribution, a
constant, two entries. If the results change at any of many points, the text has to be refuted; and
what is refuted has to be wrong.
"""

import ast
import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import ieee
from gradcompile.ops.syntax import ExpressionError
from gradcompile.verify.report import Report
from tests.helpers.derivatives import KINDS, Derived
from tests.helpers.faults import REGIONS, changes, differ
from tests.helpers.lowering import program_of

FUNCTIONS = {
    "tanh": lambda x, y: gdc.tanh(x * y) * gdc.exp(-y * y),
    "quotient": lambda x, y: gdc.sin(x) / (y * y + 2) + x / y,
    "roots": lambda x, y: gdc.sqrt(x * x + 1) * gdc.log(y * y + x * x + 1),
    "where": lambda x, y: gdc.where(x > y, x * x * y, y * y * gdc.sin(x)),
    "maximum and relu": lambda x, y: gdc.maximum(x * x * y, x + 1) * y + gdc.relu(y) * y * x,
    "powers": lambda x, y: x**3 * y**2 - 2 * x / y + (x * x + 1) ** 1.5,
    "erf": lambda x, y, z: (x**3 + gdc.erf(y)) * gdc.softplus(z),
    "products": lambda x, y, z: x * y * z + x * x * z - 3.0 * y * z * z,
}  # fmt: skip


@cache
def derived(function: str, kind: str) -> Derived:
    run = FUNCTIONS[function]
    names = [f"x{k}" for k in range(run.__code__.co_argcount)]
    return KINDS[kind](program_of(run, *names))


def faults(text: Derived, rng: random.Random) -> Iterator[tuple[str, Derived]]:
    """Every single fault, as its kind and the changed text; what is put in is drawn."""
    module = ast.parse(text.source)
    function = module.body[-1]
    assert isinstance(function, ast.FunctionDef)
    known = [x.arg for x in function.args.args]
    for place, statement in enumerate(function.body):
        for kind, changed in changes(statement, known, rng):
            yield kind, _with(text, module, place, changed)
        if " = empty(" not in ast.unparse(statement):
            names = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            known += [n.id for n in names if isinstance(n.ctx, ast.Store)]
    yield from (("swapped entries", changed) for changed in _swapped(text, module, rng))


def _with(text: Derived, module: ast.Module, place: int, changed: ast.stmt) -> Derived:
    again = copy.deepcopy(module)
    again.body[-1].body[place] = changed  # type: ignore[attr-defined]
    return replace(text, source=ast.unparse(ast.fix_missing_locations(again)))


def _swapped(text: Derived, module: ast.Module, rng: random.Random) -> Iterator[Derived]:
    """Two elements of the array that is returned, each in the place of the other."""
    for _ in range(3):
        again = copy.deepcopy(module)
        stores = [
            node
            for node in ast.walk(again)
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        ]
        if len(stores) > 1:
            a, b = rng.sample(stores, 2)
            a.slice, b.slice = b.slice, a.slice
            yield replace(text, source=ast.unparse(again))


def results(source: str, points: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """What a text gives at every point, one row each."""
    # A fault may call functions that the text does not import.
    names: dict = {name: getattr(ieee, name) for name in ieee.FUNCTIONS}
    exec(source, names)
    function: Callable = names["f"]
    arity = function.__code__.co_argcount
    with np.errstate(all="ignore"):
        return np.array([np.ravel(function(*at[:arity])) for at in points], float)


@cache
def some_points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([rng.uniform(*REGIONS[k % len(REGIONS)], 6) for k in range(60)])


def is_wrong(right: np.ndarray, source: str) -> bool:
    try:
        return differ(right, results(source, some_points()))
    except (NameError, TypeError):  # it reads what is not there yet, or -(a > b)
        return True


def refutation(text: Derived) -> Report | None:
    """The report on a text, if it is refuted or cannot be read; None if it is taken to be right."""
    try:
        report = text.verify()
    except ExpressionError:
        return Report()
    return None if report.ok else report


def is_where_told(right: str, wrong: str, report: Report) -> bool:
    """Do two texts differ at a point at which one is refuted? Random points may all miss it."""
    told = [
        np.array([float(x) for x in re.findall(r"\w+=(\S+?)[,:]", derivative.detail)])
        for derivative in report
        if derivative.verdict == "refuted"
    ]
    return all(differ(results(right, [at]), results(wrong, [at])) for at in told)


def try_faults(function: str, kind: str, count: int, seed: int) -> tuple[Counter, list[str]]:
    """Draw faults of one text, of each sort as many; count what became of them, list failures."""
    rng = random.Random(seed)
    text = derived(function, kind)
    right = results(text.source, some_points())
    drawn = list(faults(text, rng))
    rng.shuffle(drawn)
    seen: Counter = Counter()
    order = []
    for sort, changed in drawn:
        order.append((seen[sort], sort, changed))
        seen[sort] += 1
    order.sort(key=lambda item: item[0])
    found: Counter = Counter()
    failures = []
    for _, sort, changed in order[:count]:
        wrong, report = is_wrong(right, changed.source), refutation(changed)
        if report is not None and not wrong:
            wrong = is_where_told(text.source, changed.source, report)
        found[sort if wrong else "harmless"] += 1
        if wrong != (report is not None):
            what = "missed" if wrong else "a false alarm"
            failures.append(f"{function}, {kind}, {sort}: {what}\n{changed.source}\n{text.base}")
    return found, failures


@pytest.mark.parametrize("kind", KINDS)
def test_the_texts_as_emitted_are_right(kind):
    for function in ("quotient", "where", "products"):
        report = derived(function, kind).verify()
        assert report.ok, report


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_faults_of_each_kind_are_refuted(kind):
    found, failures = try_faults("products", kind, 6, seed=1)
    assert failures == []
    assert found.total() - found["harmless"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_hundreds_of_faults_are_refuted(function):
    total: Counter = Counter()
    for kind in KINDS:
        found, failures = try_faults(function, kind, 16, seed=2)
        assert failures == [], "\n".join(failures)
        total += found
    print(f"refuted {total.total() - total['harmless']}: {dict(total)}")
    assert total.total() - total["harmless"] >= 63
