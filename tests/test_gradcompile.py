"""The package as a module: what it names is there."""

import importlib

import pytest

import gradcompile as gdc


@pytest.mark.parametrize("name", ["nn", "optim"])
def test_modules_load_on_first_use(name):
    assert gdc.__getattr__(name) is importlib.import_module(f"gradcompile.{name}")


def test_every_name_is_there():
    assert [name for name in gdc.__all__ if not hasattr(gdc, name)] == []
    assert set(gdc.__all__) <= set(dir(gdc))


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'gradcompile' has no attribute 'spline'"):
        gdc.spline  # noqa: B018
