"""The two moons: the numbers of the lecture, the demo of the command line, the picture."""

import random

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import nn
from gradcompile.cli import main
from gradcompile.demos import moons as moons_demo
from gradcompile.demos import plot, telling, two_moons
from gradcompile.demos.two_moons import Training
from gradcompile.graph.value import topological
from gradcompile.show.terminal import console

needs_matplotlib = pytest.mark.skipif(not plot.available(), reason="needs matplotlib")


@pytest.fixture(scope="module")
def moons():
    return two_moons.points()


def compiled(X, y):
    """Compiled once: the demo, whose loss has the same structure, has the code from here."""
    model = two_moons.network()
    loss = two_moons.loss(model, X, y)
    function = gdc.compile(loss, inputs={"params": model.parameters()}, name="loss")
    return loss, function.value_and_grad


@pytest.fixture(scope="module")
def kernel(moons):
    loss, kernel = compiled(*moons)
    assert len(topological(loss)) == 65_818
    return kernel


@pytest.fixture
def few_moons(monkeypatch):
    """Fewer points and neurons are those of the demo."""
    points = two_moons.points(10)
    monkeypatch.setattr(two_moons, "LAYERS", (4, 1))
    monkeypatch.setattr(two_moons, "points", lambda: points)
    return points


@pytest.fixture(scope="module")
def training(kernel):
    return two_moons.train(kernel.flat, two_moons.network().flat)


# --- the numbers -------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize(("rows", "noise", "seed"), [(100, 0.1, 1337), (7, 0.3, 0)])
def test_the_points_are_those_of_scikit_learn(rows, noise, seed):
    datasets = pytest.importorskip("sklearn.datasets")
    state = np.random.get_state()
    np.random.seed(seed)
    X, y = datasets.make_moons(rows, noise=noise)
    np.random.set_state(state)
    ours, labels = two_moons.points(rows, noise, seed)
    assert ours.tobytes() == X.tobytes()
    assert (labels == 2 * y - 1).all()


def test_the_network_is_that_of_the_seed_and_leaves_random_alone():
    random.seed(1337)
    expected = nn.MLP(2, [16, 16, 1]).flat
    random.seed(5)
    state = random.getstate()
    assert (two_moons.network().flat == expected).all()
    assert random.getstate() == state


def test_scores_are_those_of_the_model(moons):
    model = two_moons.network()
    model.flat = model.flat + 0.1  # biases that are not 0
    found = two_moons.scores(model.flat, moons[0])
    expected = [model(x).data for x in moons[0].tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
def test_the_losses_of_the_lecture(training):
    assert len(training.losses) == 100
    assert training.losses[0] == pytest.approx(0.8958441028683222, rel=1e-12)
    assert training.losses[1] == pytest.approx(1.7235905336972022, rel=1e-12)
    assert training.losses[9] == pytest.approx(0.27049, abs=5e-6)
    assert training.losses[99] == pytest.approx(0.010978370135492717, rel=1e-3)


@pytest.mark.slow
def test_the_accuracies_of_the_lecture(training, moons):
    X, y = moons
    right = [two_moons.accuracy(two_moons.scores(p, X), y) for p in training.params]
    assert [right[step] for step in (0, 1, 9)] == [0.5, 0.81, 0.91]
    assert right.index(1.0) == 40
    assert right[-2:] == [1.0, 1.0]


@pytest.mark.slow
def test_a_step_with_values_is_a_step_in_machine_code(kernel, moons):
    same_step(kernel, *moons)


def test_a_step_of_a_few_points_is_a_step_in_machine_code(few_moons):
    same_step(compiled(*few_moons)[1], *few_moons)


def same_step(kernel, X, y):
    start = two_moons.network().flat
    value, slopes = two_moons.eager(two_moons.network(), X, y)(start)
    expected, gradient = kernel.flat(start)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-12, atol=1e-14)


# --- the picture -------------------------------------------------------------------------------


def looks(path):
    """The share of the pixels that are nearly of the colour of each side."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    pixels = imread(path)[..., :3]
    return [
        float(np.mean(np.abs(pixels - to_rgb(colour)).max(axis=-1) < 0.02))
        for colour in (plot.BELOW, plot.ABOVE)
    ]


@pytest.mark.peers
@needs_matplotlib
def test_the_picture_shows_both_moons(tmp_path, moons):
    X, y = moons
    path = plot.decision_boundary(lambda x: x[:, 0] - x[:, 1], X, y, tmp_path / "a.png", "title")
    assert path.read_bytes()[1:4] == b"PNG"
    assert path.stat().st_size > 20_000
    assert min(looks(path)) > 0.005


@pytest.mark.peers
@needs_matplotlib
def test_a_model_that_says_the_same_everywhere_has_a_picture(tmp_path, moons):
    assert plot.decision_boundary(lambda x: np.ones(len(x)), *moons, tmp_path / "a.svg").is_file()


def test_what_cannot_be_saved_is_told_before_the_work(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"'\.gif'"):
        plot.check("a.gif")
    with pytest.raises(FileNotFoundError, match="missing"):
        plot.check(tmp_path / "missing" / "a.png")
    monkeypatch.setattr(plot, "available", lambda: False)
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        plot.check(tmp_path / "a.png")


# --- the demo ----------------------------------------------------------------------------------


@pytest.fixture
def demo(capsys, tmp_path, monkeypatch):
    """What the demo prints, timed in haste."""

    def demo():
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(telling, "TIMING_ROUNDS", 1)
        monkeypatch.setattr(telling, "ROUND_SECONDS", 1e-5)
        code = main(["demo", "moons"])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        lines = [line for line in out.splitlines() if str(tmp_path) not in line]
        assert max(len(line) for line in lines if not line.startswith("    ")) <= 80
        assert max(map(len, lines)) < 90  # emitted code
        return out

    return demo


@pytest.mark.usefixtures("few_moons")
def test_demo_of_a_few_points(demo):
    out = demo()
    for text in (
        "10 points, 17 parameters, ",
        "hinges = [(1 - margin).relu() for margin in margins]",
        "eager Values",
        "µs",
        "All 100 steps",
        "moons.png" if plot.available() else "pip install",
    ):
        assert text in out


@pytest.mark.slow
@pytest.mark.usefixtures("training")
def test_demo_moons(demo, tmp_path):
    out = demo()
    for text in (
        "100 points, 337 parameters, 65,818 nodes",
        "hinges = [(1 - margin).relu() for margin in margins]",
        "set_affine(v4, params_3[:, 0:16], v2, params_3[:, 16])",
        "0.89584410286832",
        "1.72359053369720",
        "0.0109783701",
        "100%",
        "eager Values",
        "µs",
        "All 100 steps",
        "moons.png" if plot.available() else "pip install",
    ):
        assert text in out
    if plot.available():
        assert min(looks(tmp_path / "moons.png")) > 0.005


def test_the_demo_without_matplotlib_says_what_is_left_out(capsys, moons, monkeypatch):
    monkeypatch.setattr(plot, "available", lambda: False)
    moons_demo._plot(console(), Training([], []), *moons, None)
    out, _ = capsys.readouterr()
    assert out == (
        "No picture of the decision boundary, as a plot needs matplotlib: pip install \n"
        '"gradcompile[examples]"\n'
    )


@pytest.mark.parametrize(
    ("name", "says"), [("a.gif", "'.gif'"), ("missing/a.png", "No such"), ("a.png", "pip install")]
)
def test_an_output_that_cannot_be_made_is_an_error_at_once(
    capsys, tmp_path, monkeypatch, name, says
):
    monkeypatch.setattr(plot, "available", lambda: False)
    assert main(["demo", "moons", "--output", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
