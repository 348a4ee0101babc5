"""The tests that belong to a file of the package, in stages: those likest to find a fault first."""

from pathlib import Path

END_TO_END = (
    "tests/emit/test_straight.py::test_the_text_is_the_golden_one",
    "tests/roll/test_roll.py::test_a_rolled_network_reads_as_the_golden_text",
    "tests/emit/test_nest_functions.py::test_a_batch_reads_as_the_golden_text",
    "tests/autodiff/test_cases.py",
    "tests/passes/test_cases.py",
    "tests/roll/test_cases.py",
)
"""What sees most of the pipeline within a second: text in, text out, and golden text."""

ELSEWHERE = {
    "gradcompile/__main__.py": ("tests/test_cli.py",),
    "gradcompile/compiler/code.py": ("tests/compiler/test_digests.py",),
    "gradcompile/compiler/function.py": ("tests/test_api.py",),
    "gradcompile/graph/bytecode.py": ("tests/graph/test_bindings.py",),
    "gradcompile/graph/elimination.py": ("tests/test_linalg.py",),
    "gradcompile/graph/norms.py": ("tests/test_linalg.py",),
    "gradcompile/graph/numpy_linalg.py": ("tests/test_linalg.py",),
    "gradcompile/graph/value.py": ("tests/compiler/test_user_lines.py",),
    "gradcompile/ops/opaque.py": ("tests/own/test_opaque.py",),
    "gradcompile/opaque.py": ("tests/own/test_opaque.py",),
    "gradcompile/ops/table.py": ("tests/project/test_op_table_page.py",),
    "gradcompile/products.py": ("tests/emit/test_product_calls.py",),
    "gradcompile/support/arrays.py": ("tests/compiler/test_masked.py",),
    "gradcompile/verify/given.py": ("tests/own/test_opaque.py",),
    "gradcompile/jit/cache.py": ("tests/compiler/test_memory.py", "tests/test_vector.py"),
    "gradcompile/jit/rare_calls.py": ("tests/test_vector.py",),
    "gradcompile/jit/tiles.py": ("tests/emit/test_product_calls.py",),
    "gradcompile/jit/pipelines.py": ("tests/test_vector.py",),
    "gradcompile/demos/moons.py": ("tests/demos/test_two_moons.py",),
    "gradcompile/demos/neuron.py": ("tests/test_cli.py",),
    "gradcompile/demos/plot.py": ("tests/demos/test_two_moons.py",),
    "gradcompile/demos/telling.py": ("tests/demos/test_two_moons.py", "tests/test_cli.py"),
}
"""The tests of files that have none of their own name."""

IN_PASSING = (
    "gradcompile/api.py",
    "gradcompile/compiler/function.py",
    "tests/batch/test_calls.py",
)
"""What compiles and calls something within seconds."""

ONCE_THROUGH = (
    "tests/compiler/test_bad_input.py",
    "tests/verify/test_report.py",
    "tests/batch/test_batch.py",
)
"""What calls machine code, verifies, reports and runs batches."""

WIDER = (
    "tests/emit",
    "tests/whole/test_engines.py",
    "tests/passes/test_passes.py",
    "tests/compiler",
    "tests/roll",
    "tests/batch",
    "tests/verify",
    "tests/whole/test_lecture.py",
    "tests/test_cli.py",
)
"""What a fault must survive as well, after the tests of its own folder."""


def belonging_tests(path: str, root: Path, narrow: bool = False) -> list[list[str]]:
    """List the tests to run for a fault in a file, a stage after the other.

    First the doctests of the file, its own tests and what sees most of the pipeline, then the rest
    of its folder's tests and what runs everything once, then the wider set.

    Args:
        path: the file, relative to the root.
        root: the tree, in which the tests are looked for.
        narrow: leave all but the first stage out, for a first look.
    """
    file = Path(path)
    room = Path("tests", *file.parent.parts[1:])
    stem = file.parent.name if file.stem == "__init__" else file.stem
    own = [path] if ">>>" in (root / path).read_text(encoding="utf-8") else []
    own += _relative(root, sorted((root / room).glob(f"test_{stem}.py")))
    own += ELSEWHERE.get(path, ())
    folder = [] if room == Path("tests") else _tests(root, room.as_posix())
    wider = [test for entry in WIDER for test in _tests(root, entry)]
    stages: list[list[str]] = []
    listed: set[str] = set()
    for tests in (_with(own, END_TO_END), [*IN_PASSING, *_with(folder, ONCE_THROUGH)], wider):
        stages.append([test for test in dict.fromkeys(tests) if test not in listed])
        listed.update(tests)
    return [stage for stage in stages[: 1 if narrow else None] if stage]


def _with(tests: list[str], others: tuple[str, ...]) -> list[str]:
    """Some tests, and others that are not in files of these."""
    return [*tests, *(test for test in others if test.split("::")[0] not in tests)]


def _tests(root: Path, entry: str) -> list[str]:
    """The test files of an entry, which is a folder or a file; none if there is no such thing."""
    path = root / entry
    if path.is_dir():
        return _relative(root, sorted(path.rglob("test_*.py")))
    return [entry] if path.is_file() else []


def _relative(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]
