"""Small functions as practitioners write them, who have never heard of a compiler: a file a field.

- case.py: what a row of a table says
- activations.py, distributions.py, losses.py: a table of functions for each field
"""

from tests.whole.corpus import activations, distributions, losses

FIELDS = (losses, activations, distributions)
CASES = {
    f"{field.__name__.rpartition('.')[2]}-{case}-{number}": case
    for field in FIELDS
    for number, case in enumerate(field.CASES)
}
"""Every case, by its field, its function and its place in the field's table."""
