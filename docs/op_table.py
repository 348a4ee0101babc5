"""Writes the pages that show the op table and the rules of simplify.

`conf.py` runs it before Sphinx looks for pages. All that the pages say about an operation comes
from its row of the op table; the groups and the remarks are the comments between the rows, and the
code is compiled while the page is written.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sympy

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators
from gradcompile.ops.syntax import COMPARISONS, evaluate, parse
from gradcompile.ops.table import TABLE
from gradcompile.passes.rules import IDENTITIES, STABILITY, Rule, Variable
from gradcompile.verify.symbols import SYMBOLS, exact, latex, symbol

# --- formulas ----------------------------------------------------------------------------------


def _where(condition: Any, a: Any, b: Any) -> Any:
    """A choice, as one list of cases."""
    if isinstance(condition, sympy.Symbol):
        condition = sympy.Ne(condition, 0)
    first = a.args if isinstance(a, sympy.Piecewise) else ((a, True),)
    second = b.args if isinstance(b, sympy.Piecewise) else ((b, True),)
    return sympy.Piecewise(*((x, sympy.And(condition, c)) for x, c in first), *second)


def _named(name: str) -> Any:
    return sympy.Function(name)


def _polygamma(n: Any, x: Any) -> Any:
    return sympy.Function(r"\psi" if n == 0 else rf"\psi^{{({latex(n)})}}")(x)


FUNCTIONS: dict[str, Any] = {
    **SYMBOLS,
    "where": _where, "equal": sympy.Eq, "not_equal": sympy.Ne, "abs": sympy.Abs,
    "max": sympy.Max, "maximum": sympy.Max, "minimum": sympy.Min,
    "floor": sympy.floor, "ceil": sympy.ceiling, "erfc": _named("erfc"),
    "sigmoid": _named("sigma"), "polygamma": _polygamma,
    "digamma": lambda x: _polygamma(0, x), "loggamma": _named(r"\log\Gamma"),
    "sign": _named(r"\operatorname{sign}"), "copysign": _named(r"\operatorname{copysign}"),
    "atan2": _named(r"\operatorname{atan2}"),
    "stop_gradient": lambda x: x, "float64": lambda x: x, "bool": lambda x: x,
}  # fmt: skip
"""sympy's functions, as people write them: what proofs need expanded has its name here."""


class Formula(Operators):
    """A sympy expression that the partials of the table can compute with."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Formula":
        return Formula(FUNCTIONS[op.name](*map(_content, operands)))


def _content(x: Any) -> Any:
    if isinstance(x, Formula):
        return x.content
    # A constant of the table may stand for an irrational number, with either sign.
    return -exact(-x) if x < 0 else exact(x)


def formula(op: Op) -> str:
    """What an operation computes, as LaTeX."""
    operands = {name: symbol(name) for name in op.operand_names}
    result = evaluate(parse(op.sympy or op.expression), operands, FUNCTIONS, exact)
    # sympy's symbols are Booleans, too.
    is_condition = isinstance(result, sympy.logic.boolalg.Boolean) and not result.is_Symbol
    return rf"\left[{latex(result)}\right]" if is_condition else latex(result)


def derivatives(op: Op) -> Iterator[tuple[str, str]]:
    """For each operand its name and the partial as LaTeX."""
    y = Formula(symbol("y"))
    operands = [Formula(symbol(name)) for name in op.operand_names]
    for name, partial in zip(op.operand_names, op.partials, strict=True):
        yield name, "0" if partial is None else latex(_content(partial(y, *operands)))


RELATIONS = {"greater": ">", "less": "<", "greater_equal": r"\ge", "less_equal": r"\le",
             "equal": "=", "not_equal": r"\neq"}  # fmt: skip


def domain(op: Op) -> str:
    """Where an operation is smooth."""
    if op.domain == "True":
        return "everywhere"
    if op.domain == "False":
        return "nowhere, by definition"
    return _condition(parse(op.domain), op.operand_names)


def _condition(tree: ast.expr, names: Sequence[str]) -> str:
    match tree:
        case ast.BoolOp(operator, values):
            word = " and " if isinstance(operator, ast.And) else " or "
            return word.join(_condition(value, names) for value in values)
        case ast.Compare(left, operators, others):
            symbols = {name: symbol(name) for name in names}
            parts = [latex(evaluate(x, symbols, FUNCTIONS, exact)) for x in (left, *others)]
            text = parts[0]
            for relation, part in zip(operators, parts[1:], strict=True):
                text += f" {RELATIONS[COMPARISONS[type(relation)]]} {part}"
            return f"${text}$"
    raise ValueError(f"cannot show the condition {ast.unparse(tree)}")


def kinks(op: Op) -> str:
    """Examples of points where an operation is not smooth, with the slopes chosen there."""
    return "; ".join(
        f"${_point(op.operand_names, at)}$: {'slopes' if len(slopes) > 1 else 'slope'} "
        f"${', '.join(map(_number, slopes))}$"
        for at, slopes in (op.kinks or {}).items()
    )


def _point(names: Sequence[str], at: Sequence[float]) -> str:
    return r",\ ".join(f"{name} = {_number(x)}" for name, x in zip(names, at, strict=True))


def _number(x: float) -> str:
    return f"{x:g}"


# --- code --------------------------------------------------------------------------------------

OPERATORS = (
    "a + b", "a - b", "a * b", "a / b", "a ** b", "-x", "+x", "abs(x)", "a > b", "a >= b",
    "a % b", "a // b", "a < b", "a <= b", "a == b", "a != b", "c & d", "c | d", "~c",
)  # fmt: skip


def calls(op: Op) -> str:
    """How an operation is called: with a name, and with Python's operator if it has one."""
    count = len(op.operand_names) - len(op.defaults)
    given = [*op.operand_names[:count]]
    given += [f"{n}={x:g}" for n, x in zip(op.operand_names[count:], op.defaults, strict=True)]
    text = f"`gdc.{op.name}({', '.join(given)})`"
    variables = {name: Variable(name) for name in "abcdx"}
    for operator in OPERATORS:
        applied = eval(operator, {"__builtins__": {"abs": abs}}, variables)  # one of ours
        if getattr(applied, "op", None) is op:
            text += f" or `{operator}`"
    return text


def numpy_name(op: Op) -> str:
    """numpy's function for it, if there is one."""
    name = op.ufunc or op.name
    return f"`np.{name}`" if isinstance(getattr(np, name, None), np.ufunc) else ""


def emitted(op: Op) -> str:
    """The sweeps of a function that is this operation alone, as they are emitted."""
    inputs = [Value(1.0, name) for name in op.operand_names]
    y = op(*inputs)
    y.label = "y"
    source = gdc.compile(y, inputs=inputs, cache=False).source
    text = source.partition('"""')[2].partition('"""\n')[2]
    lines = [line[4:].partition("  # ")[0].rstrip() for line in text.rstrip().splitlines()]
    # There is one forward statement, so each heading would quote the same one.
    return "\n".join(
        line for line in lines if line.startswith("# reverse sweep") or line[:1] != "#"
    )


# --- pages -------------------------------------------------------------------------------------


def groups() -> Iterator[tuple[str, list[tuple[Op, str]]]]:
    """The groups of the table's text: each title, and its operations with remarks."""
    found: list[tuple[str, list[tuple[Op, str]]]] = []
    remark: list[str] = []
    for line in inspect.getsource(table).splitlines():
        if title := re.match(r"# --- (.*?) -{3,}", line):
            name = title[1][0].upper() + title[1][1:]
            found.append((name, []))
            remark = []
        elif row := re.match(r'\w+ = Op\("(\w+)"', line):
            found[-1][1].append((TABLE[row[1]], " ".join(remark)))
            remark = []
        elif line.startswith("# ") and found:
            remark.append(line[2:])
        elif found:
            remark = []
    return iter(found)


def _facts(op: Op) -> Iterator[tuple[str, str]]:
    yield "call", calls(op)
    if numpy_name(op):
        yield "in numpy", numpy_name(op)
    yield "result", rf"$\displaystyle y = {formula(op)}$"
    for name, text in derivatives(op) if any(op.partials) else ():
        yield "derivative", rf"$\displaystyle \frac{{\partial y}}{{\partial {name}}} = {text}$"
    if not any(op.partials):
        yield "derivative", "0"
    yield "smooth", domain(op)
    if op.kinks:
        yield "kink" if op.arity == 1 else "kink, such as", kinks(op)


def _entry(op: Op, remark: str) -> str:
    facts = "\n".join(
        f"| {name} | {text.replace('|', chr(92) + '|')} |" for name, text in _facts(op)
    )
    note = f"{remark.replace('*', chr(92) + '*')}\n\n" if remark else ""
    return (
        f"### {op.name}\n\n{note}"
        f":::::{{container}} operation\n"
        f"| | |\n|---|---|\n{facts}\n\n"
        f"```python\n{emitted(op)}\n```\n"
        ":::::\n"
    )


INTRODUCTION = """# The op table

Every operation is one row of `gradcompile/ops/table.py`, and nothing is known about it anywhere
else. This page is written from these rows while the documentation is built: {count} operations,
each with

- how it is called, also on lists and arrays of numbers and `Value`s, elementwise; it is a method of
  `Value`, too, and ufuncs of numpy and scipy that are named like it do the same on `Value`s and on
  the arrays of a traced function;
- the result $y$, and its derivatives as they are written in the row, where they may use $y$;
- where it is smooth, and examples of its kinks with the slopes that are chosen there;
- the code that is emitted for a function which is this operation alone, without the headings that
  quote it.

Outside of its domain an operation follows IEEE-754: `log(-1.0)` is nan, `1.0 / 0.0` is inf. Every
derivative is proved by sympy and compared with mpmath's to 50 digits, in tests that loop over the
table.

{overview}
"""


def op_table_page() -> str:
    """The page with every operation of the table."""
    sections = list(groups())
    overview = "\n".join(
        f"- {title.partition(':')[0]}: "
        + ", ".join(f"[`{op.name}`](#{op.name.replace('_', '-')})" for op, _ in rows)
        for title, rows in sections
    )
    count = sum(len(rows) for _, rows in sections)
    assert count == len(TABLE), "a row of the table stands outside of its groups"
    page = [INTRODUCTION.format(count=count, overview=overview)]
    for title, rows in sections:
        head, _, note = title.partition(": ")
        page.append(f"## {head}\n")
        page += [f"{note[0].upper()}{note[1:]}.\n"] if note else []
        page += [_entry(op, remark) for op, remark in rows]
    return "\n".join(page)


RULES = """# Rules

Formulas in textbooks are meant for real numbers. In floating point, `log(1 + x)` has no correct
digit for `x = 1e-17`, and `exp(x) / (1 + exp(x))` is nan for `x = 1000`. When a function is
compiled, such forms are recognised and computed in a better way. The derivative follows: it is that
of the replacement. Each rule is proved by sympy; tests measure that it reduces the error in the
range given here, and adds no more than two units in the last place elsewhere. `f.explain()` tells
which rules were used:

```{{code-cell}} ipython3
import gradcompile as gdc


@gdc.compile
def squash(x):
    e = gdc.exp(2 * x)
    return (e - 1) / (e + 1)


print(squash.explain())
squash(355.0), squash(1e-17)
```

## For more digits

These apply to what you write, and not to the derivatives of the [op table](op-table.md), which
stay as they stand there.

{stability}

## For simpler code

These keep the result, up to the sign of a zero or a rounding less. Here $k$ is any constant, and
$c$ any condition. `0 * x` stays, because of inf and nan.

{identities}
"""

NOTEBOOK = """---
file_format: mystnb
kernelspec:
  name: python3
---

"""


def rules_page() -> str:
    """The page with every rule of simplify."""
    stability = [(f"`{r.pattern}`", f"`{r.replacement}`", r.reason, _gain(r)) for r in STABILITY]
    stability += [(*rule, "") for rule in _sums()]
    identities = [
        (f"`{rule.pattern}`", f"`{rule.replacement}`", rule.reason) for rule in IDENTITIES
    ]
    return NOTEBOOK + RULES.format(
        stability=_table(("you write", "it computes", "because", "gains digits for"), stability),
        identities=_table(("you write", "it computes", "because"), identities),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _gain(rule: Rule) -> str:
    if rule.gain is None:
        return ""
    ranges = zip(rule.variables, rule.gain, strict=True)
    return ", ".join(rf"${_power(low)} \le {n} \le {_power(high)}$" for n, (low, high) in ranges)


def _power(x: float) -> str:
    mantissa, _, exponent = f"{x:g}".partition("e")
    if not exponent:
        return mantissa
    sign = mantissa.removesuffix("1") if mantissa in ("1", "-1") else rf"{mantissa} \cdot "
    return f"{sign}10^{{{int(exponent)}}}"


def _sums() -> Iterator[tuple[str, str, str]]:
    """The rules for sums of any length, as they report themselves."""

    def logsumexp(x: Any) -> Any:
        return gdc.log(gdc.exp(x) + gdc.exp(2 * x) + gdc.exp(3 * x))

    def log_softmax(x: Any) -> Any:
        return gdc.log(gdc.exp(x) / (gdc.exp(x) + gdc.exp(2 * x) + gdc.exp(3 * x)))

    for function in (logsumexp, log_softmax):
        note = gdc.compile(function, cache=False).explain()
        rule = re.search(r"^(log\(exp\(x1\).*?) → (.*) \((.*?)\): 1×$", note, re.MULTILINE)
        assert rule is not None
        replacement, _, remark = rule[2].partition(", m ")
        yield f"`{rule[1]}`", f"`{replacement}`, m {remark}", rule[3]


def write(folder: Path) -> None:
    """Write both pages, where they are not what they should be already."""
    for name, page in (("op-table.md", op_table_page()), ("rules.md", rules_page())):
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")
