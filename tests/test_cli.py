"""The command line: what it prints, where, and what it answers to whatever is wrong."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradcompile.cli import main
from gradcompile.demos import neuron, telling

NEURON = "tanh(x1*w1 + x2*w2 + b)"
AT_NEURON = "x1=2, x2=0, w1=-3, w2=1, b=6.8813735870195432"
PREFIX = "gradcompile: error: "


@pytest.fixture
def command(capsys):
    """Runs the command line: exit code, stdout, stderr."""

    def run(*arguments):
        code = main(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def fails(command):
    """Runs a command that must fail: the message of its one line."""

    def run(*arguments):
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(PREFIX)
        assert err.count("\n") == 1
        return err.removeprefix(PREFIX).rstrip("\n")

    return run


# --- show --------------------------------------------------------------------------------------


def test_show_prints_a_module_that_runs(command):
    code, out, err = command("show", NEURON)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    module = {}
    exec(out, module)
    value, gradient = module["f_value_and_grad"](2.0, -3.0, 0.0, 1.0, 6.8813735870195432)
    assert value == pytest.approx(0.7071067811865476)
    assert gradient == pytest.approx([-1.5, 1.0, 0.5, 0.0, 0.5])


def test_numbers_go_to_stderr(command):
    _, plain, _ = command("show", NEURON)
    code, out, err = command("show", NEURON, "--at", AT_NEURON)
    assert (code, out) == (0, plain)
    point, *rows = err.splitlines()
    assert point == "at x1=2.0, w1=-3.0, x2=0.0, w2=1.0, b=6.881373587019543"
    numbers = {name: float(number) for name, number in map(str.split, rows)}
    assert numbers == pytest.approx(
        {"value": math.sqrt(0.5), "d/dx1": -1.5, "d/dw1": 1, "d/dx2": 0.5, "d/dw2": 0, "d/db": 0.5}
    )


def test_wrt_chooses_the_gradient(command):
    _, out, err = command("show", "a*_b + c", "--wrt", "c, _b", "--at", "a=2,_b=-3,c=10")
    assert "by _b, c" in out
    assert err.splitlines()[1:] == ["value  4.0", "d/d_b  2.0", "d/dc   1.0"]


@pytest.mark.parametrize(
    ("view", "has"),
    [
        ("python", "# reverse sweep"),
        ("ir", "return %"),
        ("llvm", "fmul double"),
        ("asm", "f_value_and_grad"),
        ("dot", "digraph"),
        ("svg", "<svg"),
    ],
)
def test_views(command, view, has):
    code, out, err = command("show", "x*y*2", "--as", view)
    assert (code, err) == (0, "")
    assert has in out
    assert out.endswith("\n")


def test_a_picture_at_a_point_has_its_numbers(command):
    _, out, _ = command("show", "x*y", "--as", "dot", "--at", "x=2,y=3")
    assert "x | data 2.0000 | grad 3.0000" in out


def test_an_expression_may_begin_with_a_minus(command):
    assert command("show", "-x**2", "--at", "x=-3")[2].splitlines()[1:] == [
        "value  -9.0",
        "d/dx   6.0",
    ]


def test_pi_inf_and_nan_are_numbers(command, fails):
    _, _, err = command("show", "(inf if x > pi else nan) if x > 9 else pi*x", "--at", "x=2")
    assert err.splitlines() == ["at x=2.0", f"value  {2 * math.pi!r}", f"d/dx   {math.pi!r}"]
    assert (
        fails("show", "pi*x", "--at", "pi=3,x=1") == "--at: 'pi' is not an input; the inputs are x"
    )


def test_singular_points_have_ieee_numbers(command):
    _, _, err = command("show", "log(x)/y", "--at", "x=-0.0,y=0")
    assert "value  -inf" in err


def test_conditions(command):
    expression = "x if x > 1 and x < 3 and not x == 2 or x > 9 else -x"
    for x, value in ((0.5, -0.5), (1.5, 1.5), (2.0, -2.0), (4.0, -4.0), (10.0, 10.0)):
        assert f"value  {value}\n" in command("show", expression, "--at", f"x={x}")[2]


def test_functions_of_lists(command, fails):
    _, _, err = command("show", "logsumexp([x, 2*y, 0])", "--at", "x=1000,y=-1000")
    assert err.splitlines()[1:] == ["value  1000.0", "d/dx   1.0", "d/dy   0.0"]
    assert command("show", "dot([x, y], [3, 4])", "--at", "x=1,y=2")[2].splitlines()[1] == (
        "value  11.0"
    )
    assert command("verify", "cross_entropy([a, b], 1)")[:2] == (0, "d/da: proved\nd/db: proved\n")
    shown = command("show", "dot(softmax([x, y, z]), [1, 0, 0])", "--at", "x=1000,y=2,z=-1000")[2]
    assert shown.splitlines()[1:3] == ["value  1.0", "d/dx   0.0"]
    shown = command("show", "sum(matmul([[x, y], [1, 2]], [1, z]))", "--at", "x=1,y=2,z=3")[2]
    assert shown.splitlines()[1:] == ["value  14.0", "d/dx   1.0", "d/dy   3.0", "d/dz   4.0"]
    assert fails("show", "softmax([x, y])") == "'softmax([x, y])' is a list, and not one number"
    assert fails("show", "[x, y]") == "'[x, y]' is a list, and not one number"
    assert fails("show", "exp([x, y])") == "'exp([x, y])' is a list, and not one number"
    assert "shapes (1,) and (2,)" in fails("show", "dot([x], [1, 2])")


def test_long_expressions(command):
    assert command("show", " or ".join(["x"] * 2000), "--at", "x=0")[2].startswith(
        "at x=0.0\nvalue  0.0"
    )
    expression = " + ".join(["x"] * 500)
    assert command("show", expression, "--at", "x=2")[2].endswith("value  1000.0\nd/dx   500.0\n")


# --- verify ------------------------------------------------------------------------------------


def test_verify_prints_a_line_a_derivative(command):
    assert command("verify", "tanh(x*w + b)") == (
        0,
        "".join(f"d/d{name}: proved\n" for name in ("x", "w", "b")),
        "",
    )


def test_verify_exits_with_1_if_a_derivative_is_refuted(command, monkeypatch):
    from gradcompile.ops.table import sin

    monkeypatch.setitem(sin.__dict__, "partials", (lambda y, x: y,))
    code, out, err = command("verify", "sin(x)*y")
    assert (code, err) == (1, "")
    first, second = out.splitlines()
    assert first.startswith("d/dx: refuted at x=")
    assert second == "d/dy: proved"


# --- demo --------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(telling, "TIMING_ROUNDS", 1)
    monkeypatch.setattr(telling, "ROUND_SECONDS", 1e-5)


@pytest.mark.usefixtures("quick")
def test_demo_neuron(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("demo", "neuron")
    assert (code, err) == (0, "")
    assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 80
    for text in (
        "The neuron  an expression graph, built from Values as in the lecture",
        "n = x1 * w1 + x2 * w2 + b",
        "# reverse sweep",
        "n_bar = 1.0 - o * o",
        "0.707106781186547",
        "-1.49999999999999",
        "d/dx1: proved",
        "machine code",
        "µs",
        "import numba",
        str(tmp_path / "neuron.svg"),
    ):
        assert text in out
    assert "<svg" in (tmp_path / "neuron.svg").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_demo_output(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("demo", "neuron", "--output", "picture.png")[0] == 0
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"
    assert not (tmp_path / "neuron.svg").exists()


def test_demo_without_a_writable_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "missing")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    o, _ = neuron.eager_neuron(**neuron.NEURON)
    saved = telling.save_drawing(o, None, "neuron.svg")
    assert saved.parent.parent == tmp_path
    assert saved.is_file()


def test_demo_output_that_cannot_be_written(fails, tmp_path):
    assert "No such file" in fails(
        "demo", "neuron", "--output", str(tmp_path / "missing" / "a.svg")
    )
    assert "'.txt'" in fails("demo", "neuron", "--output", str(tmp_path / "a.txt"))


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("command_name", ["show", "verify"])
@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("x.real", "`x.real` is not allowed"),
        ("x[0]", "`x[0]` is not allowed"),
        ("lambda: x", "`lambda: x` is not allowed"),
        ("[x for x in y]", "is not allowed"),
        ("(x := 1)", "is not allowed"),
        ("x % 2", "`x % 2` is not allowed"),
        ("0 < x < 1", "single comparisons"),
        ("f'{x}'", "is not allowed"),
        ("tanh(x=1)", "by position"),
        ("tanh(*x)", "`*x` is not allowed"),
        ("tanh(x)(y)", "is not allowed"),
        ("__import__('os')", "unknown function '__import__'"),
        ("x.__class__.__bases__[0]", "is not allowed"),
        ("maximun(x, y)", "is 'maximum' meant?"),
        ("tanh(x, y)", "takes 1 operand"),
        ("tanh()", "takes 1 operand"),
        ("'text'", "is no real number"),
        ("x + 1j", "1j is no real number"),
        ("True", "is no real number"),
        ("x + None", "is no real number"),
        ("1 + 2", "has no inputs"),
        ("pi", "has no inputs"),
        ("", "is empty"),
        (" \n", "is empty"),
        ("x +", "invalid syntax"),
        ("x\n+ y", "invalid syntax"),
        ("import os", "invalid syntax"),
        ("x\0", "null bytes"),
        ("\udcff", "surrogates"),
        ("9" * 5000 + "*x", "limit"),
        ("(" * 100_000 + "x" + ")" * 100_000, "nested"),
        ("+".join("x" * 100_000), "too long or nested too deeply"),
        ("{" + "+".join("x" * 2_000) + "}", "is not allowed"),
        ("-" * 100_000 + "x", "nested"),
        ("x" * 100_000 + "(x)", "unknown function"),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_bad_expressions(fails, command_name, expression, says):
    message = fails(command_name, "--", expression)
    assert says in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["x*y", "--at", "x=1"], "no number for y"),
        (["x*y", "--at", "x=1,y=2,z=3"], "'z' is not an input"),
        (["x", "--at", "x"], "expected name=number, got 'x'"),
        (["x", "--at", "x="], "expected name=number"),
        (["x", "--at", "=1"], "expected name=number"),
        (["x", "--at", "x=one"], "expected name=number"),
        (["x", "--at", "x=1j"], "expected name=number"),
        (["x", "--at", "x=1;y=2"], "expected name=number"),
        (["x", "--at", ""], "expected name=number, got ''"),
        (["x", "--at", "x=1,x=2"], "'x' is given twice"),
        (["x", "--wrt", "y"], "'y' is not an argument"),
        (["x", "--wrt", ""], "'' is not an argument"),
        (["x", "--as", "fortran"], "invalid choice: 'fortran'"),
        (["x", "--loud"], "unrecognized arguments: --loud"),
        ([], "required: EXPR"),
    ],
    ids=" ".join,
)
def test_bad_options(fails, arguments, says):
    assert says in fails("show", *arguments)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo"], ["demo", "brain"]], ids=" ".join)
def test_bad_commands(fails, arguments):
    fails(*arguments)


def test_help_says_what_an_expression_is(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["--help"])
    assert leaving.value.code == 0
    help_ = " ".join(capsys.readouterr().out.split())
    assert "tanh" in help_
    assert "The names pi, inf, nan are numbers" in help_


# --- as a process ------------------------------------------------------------------------------


def run(arguments, **options):
    root = str(Path(telling.__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "gradcompile", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "ascii"},
        **options,
    )


def test_python_m_gradcompile():
    done = run(["show", "é*x", "--as", "ir"], stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "inputs    \\xe9, x\n" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way")
def test_a_broken_pipe_is_silent():
    reader, writer = os.pipe()
    os.close(reader)
    done = run(["show", "x*y"], stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
