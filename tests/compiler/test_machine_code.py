"""Machine code as it is called: constants come after what is given, where there are any."""

from types import SimpleNamespace

from gradcompile import jit
from gradcompile.compiler.machine_code import runner


def test_constants_come_after_what_is_given(monkeypatch):
    monkeypatch.setattr(jit, "entry", lambda dispatcher: dispatcher)

    def machine(*given):
        return given

    assert runner(SimpleNamespace(constants=(3, 4)), machine)(1, 2) == (1, 2, 3, 4)
    assert runner(SimpleNamespace(constants=()), machine) is machine
