"""Small functions as practitioners write them, who have never heard of a compiler: a file a field.

- case.py: what a row of a table says
- compare.py: a case compiled, compared with itself and with differences
- numbers.py: the floats in arguments, and slopes by them
- idioms.py: ways of writing Python that any field may use
- special.py: functions that need scipy
- activations.py, control.py, distributions.py, geometry.py, kinematics.py, landscapes.py,
  layers.py, losses.py, nature.py, payoffs.py, physics.py, signals.py, statistics.py: the
  functions of a field, and a table of their cases
"""

from tests.whole.corpus import (
    activations,
    control,
    distributions,
    geometry,
    idioms,
    kinematics,
    landscapes,
    layers,
    losses,
    nature,
    payoffs,
    physics,
    signals,
    statistics,
)

FIELDS = (
    activations, control, distributions, geometry, idioms, kinematics, landscapes, layers,
    losses, nature, payoffs, physics, signals, statistics,
)  # fmt: skip
CASES = {
    f"{field.__name__.rpartition('.')[2]}-{case}-{number}": case
    for field in FIELDS
    for number, case in enumerate(field.CASES)
}
"""Every case, by its field, its function and its place in the field's table."""
