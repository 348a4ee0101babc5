"""Arrays of Values answer numpy as arrays of floats do: elementwise, without asking for a number.

    >>> import numpy as np
    >>> import gradcompile as gdc
    >>> f = gdc.compile(lambda x: np.where(x > 0, x, 0.1 * x).max())
    >>> f.value_and_grad(np.array([-3.0, 2.0, 1.0]))
    (2.0, Gradient(x=array([0., 1., 0.])))

A `ValueArray` is an array of objects, and is made by whatever makes an array of Values: a trace for
its arguments, an operation of arrays and Values, a function of numpy's. Only `np.array` and
`np.asarray` make plain arrays of objects, whatever they are given; those become ValueArrays with
the first operation that numpy leaves to a Value or a ValueArray.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn

import numpy as np

from gradcompile.graph.numpy_functions import (
    FUNCTIONS,
    POSITION,
    POSITIONS,
    UNTRACED,
    advice_for,
    mean,
    sort,
    var,
)
from gradcompile.graph.numpy_ufuncs import BY_OPERATORS, of_objects
from gradcompile.graph.users import TraceError, lines_of, stop
from gradcompile.ops import table
from gradcompile.ops.operators import Operators
from gradcompile.support.arrays import AnyArray, require_unmasked

IDEMPOTENT = frozenset({"maximum", "minimum", "fmax", "fmin"})
"""Ufuncs that have no identity, but whose reductions may count an initial value many times."""

_INDICES = {
    "arrays used as indices must be": (
        "a traced condition cannot choose elements, for how many there are is not known while "
        "tracing; multiply by the condition, or use np.where(condition, x, 0)"
    ),
    "only integers, slices": (
        "an index is an integer that is known while tracing, no float and no traced value; look an "
        "element up by its number k as np.sum(np.where(np.arange(len(x)) == k, x, 0.0))"
    ),
}
"""What to do, by how numpy's error begins: where an index is an array of objects, or no integer."""


def answer_ufunc(
    self: Any,
    ufunc: np.ufunc,
    method: str,
    *inputs: Any,
    out: tuple[Any, ...] = (),
    where: Any = True,
    **options: Any,
) -> Any:
    """Compute a ufunc of numpy's, one of its methods, or one of scipy's, of Values and arrays.

    Raises:
        TraceError: there is nothing traced for it, or the result has no place in `out`.
    """
    name = ufunc.__name__
    if method == "__call__" and not isinstance(self, np.ndarray) and not (out or options):
        op = table.UFUNCS.get(name)
        if op is not None and where is True:
            return op(*inputs)
    function = of_objects(ufunc)
    if function is None:
        stop(f"{name} has no traced form", "build it from gradcompile's operations")
    for place in out:
        _require_objects(place, name)
    for unused in ("dtype", "casting", "subok", "order"):  # all numbers are float64
        options.pop(unused, None)
    if where is not True and method == "reduce":
        neutral = ufunc.identity
        if neutral is None and name in IDEMPOTENT:
            neutral = options.get("initial")
        inputs = (_filled(inputs[0], where, neutral, name),)
    elif isinstance(where, ValueArray | Operators):
        return _masked(answer_ufunc(self, ufunc, method, *inputs, **options), where, out, name)
    elif where is not True:
        options["where"] = where
    if out:
        options["out"] = tuple(map(_plain, out))
    items, function = function, getattr(function, method) if method != "__call__" else function
    try:
        result = function(*map(_plain, inputs), **options)
    except ValueError as error:  # numpy knows the ufunc of objects by no name
        if items.__name__ not in str(error):
            raise
        raise ValueError(str(error).replace(items.__name__, name)) from None
    if out:
        return out if len(out) > 1 else out[0]
    if function is not ufunc and method == "__call__" and not _is_traced(result):
        return ufunc(*[np.asarray(x, np.float64) for x in inputs])
    return _given(result)


def answer_function(
    self: Any,
    function: Any,
    types: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Compute a function of numpy's: by our own, or by numpy's where it asks for no number.

    Raises:
        TraceError: it cannot be traced.
    """
    if function in POSITIONS:
        stop(f"{_title(function)} asks for positions, which are not known while tracing", POSITION)
    if function in UNTRACED:
        stop(f"{_title(function)} has no traced form", UNTRACED[function])
    require_unmasked(_title(function), *args)
    own = FUNCTIONS.get(function)
    arrays = [_array_of_one(x) if isinstance(x, Operators) else x for x in args]
    try:
        return _given((own or function._implementation)(*arrays, **kwargs))
    except (TypeError, AttributeError) as error:
        if not _is_numpys(error.__traceback__):
            raise
        form = "form with these arguments" if own else "form"
        stop(f"{_title(function)} has no traced {form}", advice_for(function))


class ValueArray(np.ndarray[Any, Any]):
    """An array of Values, and of numbers beside them."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc.__name__ in BY_OPERATORS and (not options or _is_plain(**options)):  # by far most
            function = ufunc if method == "__call__" else getattr(ufunc, method)
            result = function(*map(_plain, inputs), **options)
            return result.view(ValueArray) if isinstance(result, np.ndarray) else result
        return answer_ufunc(self, ufunc, method, *inputs, **options)

    __array_function__ = answer_function  # type: ignore[assignment]  # numpy's names are others

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, ValueArray) and index.shape == self.shape[: index.ndim]:
            mask = index.reshape(index.shape + (1,) * (self.ndim - index.ndim))
            value = table.where(mask, value, self)
            index = ...
        super().__setitem__(index, value)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> AnyArray:
        """Refuse all but objects: a traced value is a float64, and has no number to convert."""
        if np.dtype(dtype) != object:
            stop(
                "astype would make numbers of traced values",
                "leave it out: they are float64 already",
            )
        return super().astype(dtype, *args, **kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Average, where a condition holds if there is one."""
        if isinstance(kwargs.get("where"), ValueArray | Operators):
            return _given(mean(self, *args, **kwargs))
        return super().mean(*args, **kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the variance, where a condition holds if there is one."""
        if isinstance(kwargs.get("where"), ValueArray | Operators):
            return _given(var(self, *args, **kwargs))
        return super().var(*args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the standard deviation, where a condition holds if there is one."""
        if isinstance(kwargs.get("where"), ValueArray | Operators):
            return table.sqrt(self.var(*args, **kwargs))
        return super().std(*args, **kwargs)

    def sort(self, axis: Any = -1, *args: Any, **kwargs: Any) -> None:
        """Sort in place, by comparisons."""
        self[...] = sort(self, axis)

    def partition(self, kth: Any, axis: Any = -1, *args: Any, **kwargs: Any) -> None:
        """Sort in place: that is a partition for every element."""
        self[...] = sort(self, axis)


def _refusal(name: str) -> Any:
    def method(self: ValueArray, *args: Any, **kwargs: Any) -> NoReturn:
        stop(f"{name} asks for positions, which are not known while tracing", POSITION)

    method.__name__ = name
    method.__doc__ = "Refuse: positions are not known while tracing."
    return method


for _name in ("argmax", "argmin", "argsort", "argpartition", "nonzero", "searchsorted"):
    setattr(ValueArray, _name, _refusal(_name))


def value_array(items: list[Any], shape: tuple[int, ...]) -> AnyArray:
    """Make an array of Values of a shape."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape).view(ValueArray)


@contextmanager
def advising() -> Iterator[None]:
    """Say what to do where numpy refuses a traced index, or takes a traced value for a number.

    Raises:
        TraceError: instead of numpy's error.
    """
    try:
        yield
    except IndexError as error:
        lines = lines_of(error.__traceback__)
        advice = [x for begins, x in _INDICES.items() if str(error).startswith(begins)]
        if not advice or not lines:
            raise
        raise TraceError(f"{lines[-1]}: {advice[0]}.") from None
    except AttributeError as error:
        lines = lines_of(error.__traceback__)
        of_value = isinstance(error.obj, Operators) and _is_numpys(error.__traceback__)
        if not of_value or not lines:
            raise
        raise TraceError(
            f"{lines[-1]}: numpy takes a traced value of a list or a plain array for a number of "
            "its own; make an array by np.stack, or keep it one by np.asanyarray."
        ) from None
    except TypeError as error:
        lines = lines_of(error.__traceback__)
        if not _origin(error.__traceback__).startswith(np.linalg.__path__[0]) or not lines:
            raise
        raise TraceError(
            f"{lines[-1]}: np.linalg takes traced values in a list or a plain array for objects; "
            "use gdc.linalg, which takes both, or make an array by np.stack."
        ) from None


def _is_plain(out: Any = None, dtype: Any = None, where: Any = True, **_: Any) -> bool:
    """Tell whether the options of a ufunc are nothing to look at."""
    return out is None and dtype is None and where is True


# --- arrays in, arrays out -------------------------------------------------------------------


def _plain(x: Any) -> Any:
    """Hand numpy arrays of objects, which it computes with without asking anybody."""
    if isinstance(x, ValueArray):
        return np.asarray(x)
    if isinstance(x, Operators):
        return np.asarray(_array_of_one(x))
    require_unmasked("a traced array", x)
    return x


def _array_of_one(x: Operators) -> ValueArray:
    array = np.empty((), dtype=object)
    array[()] = x
    return array.view(ValueArray)


def _given(result: Any) -> Any:
    """Give arrays of objects as ValueArrays, and one of no dimension as what is in it."""
    if isinstance(result, list | tuple) and type(result) in (list, tuple):
        return type(result)(map(_given, result))
    if not isinstance(result, np.ndarray) or result.dtype != object:
        return result
    if not result.ndim:
        return result[()]
    return result if isinstance(result, ValueArray) else result.view(ValueArray)


def _is_traced(result: Any) -> bool:
    if isinstance(result, tuple):
        return any(map(_is_traced, result))
    items = result.ravel().tolist() if isinstance(result, np.ndarray) else [result]
    return any(issubclass(kind, Operators) for kind in set(map(type, items)))


def _masked(result: Any, where: Any, out: tuple[Any, ...], name: str) -> Any:
    """Keep what is in `out` where a traced condition does not hold."""
    if len(out) != 1:
        stop(f"{name}: where= needs out=", "use np.where, or give an array of objects as out")
    kept = np.array(out[0])
    out[0][...] = table.where(where, result, kept)
    return out[0]


def _filled(x: Any, where: Any, neutral: Any, name: str) -> Any:
    """Put what changes no result where a condition does not hold."""
    if neutral is None or neutral is np._NoValue:
        if name in IDEMPOTENT:
            stop(
                f"{name}: where= needs initial=", "give what is to be taken where nothing is chosen"
            )
        stop(f"{name}.reduce with where= has no traced form", "use np.where, and reduce after it")
    return table.where(where, x, neutral)


def _require_objects(place: Any, name: str) -> None:
    if place.dtype != object:
        stop(
            f"{name}: an array of {place.dtype} has no place for traced values",
            "make it with dtype=object, or compute a new one, as in z = z * x",
        )


def _title(function: Any) -> str:
    module = function.__module__.replace("numpy", "np", 1)
    return f"{module}.{function.__name__}"


def _is_numpys(traceback: TracebackType | None) -> bool:
    """Tell whether it was numpy that raised an error: then there is none for objects."""
    file = _origin(traceback)
    return file.startswith(np.__path__[0]) or file == __file__


def _origin(traceback: TracebackType | None) -> str:
    """Find the file whose code raised an error."""
    file = ""
    while traceback is not None:
        file, traceback = traceback.tb_frame.f_code.co_filename, traceback.tb_next
    return file
