"""Random programs whose gates block something hostile: it contributes nothing, in any engine.

`hostile.py` says how they are drawn, and what is right.
"""

import pytest

from tests.helpers.hostile import fuzz_gates
from tests.helpers.slow import slow_but

ENGINES = {"eager", "interpreter, as written", "interpreter", "emitted"}


@pytest.mark.parametrize("numbers", slow_but([range(100)], [range(100), range(100, 2000)]), ids=str)
def test_what_gates_block_contributes_nothing(numbers):
    tally = fuzz_gates(0, numbers, use_machine=False)
    assert not tally.differences, "\n\n".join(map(str, tally.differences[:5]))
    assert {tally.compared[engine] for engine in ENGINES} == {len(numbers)}
    assert tally.compared["second order"] > 0.9 * len(numbers)  # where it is finite
    assert tally.compared["batched"] == tally.compared["rolled"] == len(numbers) // 10


@pytest.mark.parametrize("numbers", slow_but([range(5)], [range(5), range(200)]), ids=str)
def test_what_gates_block_contributes_nothing_in_machine_code(numbers):
    tally = fuzz_gates(1, numbers, rows_each=len(numbers))
    assert not tally.differences, "\n\n".join(map(str, tally.differences[:5]))
    assert tally.compared["machine code"] == len(numbers)
