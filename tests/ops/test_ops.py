"""The folder as a module: every operation can be imported from it."""

from gradcompile import ops
from gradcompile.ops import table


def test_every_operation_is_there_by_name():
    names = {}
    exec("from gradcompile.ops import *", names)
    assert {names[name] for name in table.TABLE} == set(table.TABLE.values())
    assert set(ops.__all__) <= set(names)
