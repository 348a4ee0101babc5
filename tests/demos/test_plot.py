"""The plot of a model: what part of the plane it shows, and what is written at it."""

import numpy as np
import pytest

from gradcompile.demos import plot

pytestmark = pytest.mark.skipif(not plot.available(), reason="needs matplotlib")


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def test_all_points_lie_in_the_plane_with_a_border(axes):
    points = np.array([[0.0, -1.0], [10.0, 1.0], [4.0, 0.0]])
    plot._plane(axes, lambda rows: rows[:, 0] - 5.0, points)
    (image,) = axes.get_images()
    assert list(image.get_extent()) == pytest.approx([-1.6, 11.6, -2.6, 2.6])


def test_title_and_axes_are_named(axes):
    plot._frame(axes, "Two moons")
    assert axes.get_title(loc="left") == "Two moons"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x_1$", "$x_2$")
