"""POLLU, the air pollution problem of the Test Set for IVP Solvers: 25 reactions of 20 species.

Verwer, Gauss–Seidel iteration for stiff ODEs from chemical kinetics, SIAM J. Sci. Comput. 15, 1994.
"""

from collections.abc import Sequence
from typing import Any

RATES = (
    0.35, 26.6, 12300.0, 8.6e-4, 8.2e-4, 15000.0, 1.3e-4, 24000.0, 16500.0, 9000.0, 0.022, 12000.0,
    1.88, 16300.0, 4.8e6, 3.5e-4, 0.0175, 1e8, 4.44e11, 1240.0, 2.1, 5.78, 0.0474, 1780.0, 3.12,
)  # fmt: skip

SPECIES = 20

REACTANTS = (
    (1,), (2, 4), (5, 2), (7,), (7,), (7, 6), (9,), (9, 6), (11, 2), (11, 1), (13,), (10, 2),
    (14,), (1, 6), (3,), (4,), (4,), (16,), (16,), (17, 6), (19,), (19,), (1, 4), (19, 1), (20,),
)  # fmt: skip
"""The species of each reaction, counted from 1."""

SIGNS = (
    (-1, -10, -14, -23, -24, 2, 3, 9, 11, 12, 22, 25), (-2, -3, -9, -12, 1, 21),
    (-15, 1, 17, 19, 22), (-2, -16, -17, -23, 15), (-3, 4, 4, 6, 7, 13, 20),
    (-6, -8, -14, -20, 3, 18, 18), (-4, -5, -6, 13), (4, 5, 6, 7), (-7, -8), (-12, 7, 9),
    (-9, -10, 8, 11), (9,), (-11, 10), (-13, 12), (14,), (-18, -19, 16), (-20,), (20,),
    (-21, -22, -24, 23, 25), (-25, 24),
)  # fmt: skip
"""The reactions that make each species, and with a minus those that use it up."""


def pollu(y: Sequence[Any]) -> list[Any]:
    """The derivatives of the concentrations by time."""
    reactions = []
    for rate, reactants in zip(RATES, REACTANTS, strict=True):
        speed: Any = rate
        for species in reactants:
            speed = speed * y[species - 1]
        reactions.append(speed)
    return [
        sum(reactions[k - 1] if k > 0 else -reactions[-k - 1] for k in signs) for signs in SIGNS
    ]
