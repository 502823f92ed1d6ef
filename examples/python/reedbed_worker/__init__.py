"""Serve Python functions to a Reedbed host; arrays cross without being copied.

    from reedbed_worker import Module, Own, Read, serve

    filters = Module("filters")

    @filters.function
    def smooth(image: Read["u2", 2], sigma: float) -> Own["f4", 2]: ...

    serve(filters)

This file is for whoever writes functions. The others, in reading order, are for whoever wants to know
how they are called: `values` and `schema` are what isn't an array, `memory` what is, `call` one call,
`connection`, `sharing` and `host` the other side. They speak the wire of docs/wire.md, whose sections
they name. It needs Linux, Python 3.11 and NumPy; copy the folder.

**Arrays.** `Read["u2", 2]` is an array of `uint16` with two dimensions that belongs to the host and may
be read; `Write[..]` may be written as well; `Own[..]` is yours to keep. `...` in the place of the number
stands for any number of dimensions, and `Read[bytes]` for a bare segment. The elements are where the
host has them, with any strides. What is lent (`Read`, `Write`) is lent until the function returns: a
function that keeps a view of it, in a global variable or on a thread, makes its call fail, and the
error names the argument. Copy what you keep. (Who keeps a bare address can't be noticed.)

**Results.** Return an array of exactly the declared element type and number of dimensions. One that
`empty` made, or that came as an `Own` argument, is handed over with its strides; any other is copied
once, in its own memory order.

**Values** are what their annotation says: `None`, `bool`, `int` (64 bits; `u8` to `i128` for others),
`float` (`f32` for 32 bits), `str`, `bytes`, `Path`, `list`, `dict`, `tuple`, `X | None`, dataclasses,
`enum.Enum`, and `one_of("Name", A, B)` for an enum whose variants are the dataclasses A and B.

**Errors.** What a function raises fails its call, with message and line. A function that is declared
by `@module.function(raises=True)` returns a `Result` to the host instead, with a `PythonError`.

**Threads.** Calls run at the same time, each on a thread. A long one asks `cancelled()` now and then.
The process ends with its host; only C code that never lets go of the interpreter's lock delays that.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, Union

import numpy as np

from .call import running
from .connection import Violation, exit_at_once, take_standard_input
from .host import Host
from .memory import ELEMENTS
from .schema import Array, Function, PythonError, Variants

__all__ = ["Module", "Own", "PythonError", "Read", "Write", "cancelled", "empty", "one_of", "serve"]
__all__ += ["f32", "f64", "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"]

u8, u16, u32 = Annotated[int, "u8"], Annotated[int, "u16"], Annotated[int, "u32"]
u64, u128 = Annotated[int, "u64"], Annotated[int, "u128"]
i8, i16, i32 = Annotated[int, "i8"], Annotated[int, "i16"], Annotated[int, "i32"]
i64, i128 = Annotated[int, "i64"], Annotated[int, "i128"]
f32, f64 = Annotated[float, "f32"], Annotated[float, "f64"]


class _Access:
    """`Read`, `Write` and `Own`: `Read["u2", 2]` annotates an array."""

    def __init__(self, access: str) -> None:
        self.access = access

    def __getitem__(self, item: Any) -> Any:
        if item is bytes:
            return Annotated[np.ndarray, Array(self.access, np.dtype("u1"), 1, "segment")]
        dtype, rank = np.dtype(item[0]), None if item[1] is ... else item[1]
        name = next((e.name for e in ELEMENTS if e.code and np.dtype(e.code) == dtype), None)
        if name is None:
            raise TypeError(f"elements of type {dtype} ({dtype.str}) can't travel; see docs/wire.md, section 7")
        text = f"ndarray<{name}, {'any' if rank is None else rank}>"
        return Annotated[np.ndarray, Array(self.access, dtype, rank, text)]


Read, Write, Own = _Access("read"), _Access("write"), _Access("own")


def one_of(name: str, *variants: type) -> Any:
    """Annotates an enum whose variants are dataclasses, in this order."""
    return Annotated[Union[variants], Variants(name, variants)]


class Module:
    """A named set of functions."""

    def __init__(self, name: str, docs: str = "") -> None:
        self.name, self.docs = name, docs
        self.functions: dict[str, Function] = {}

    def function(self, body: Callable[..., Any] | None = None, *, raises: bool = False) -> Any:
        """Serves a function whose arguments and result are annotated."""
        if body is None:
            return lambda body: self.function(body, raises=raises)
        self.functions[body.__name__] = Function(self.name, body, raises)
        return body


def cancelled() -> bool:
    """Whether the host no longer wants the call that runs on this thread, or its time is over.

    Once it has been told so, a function may return or raise whatever it likes: nobody looks."""
    call = getattr(running, "call", None)
    if call is not None and call.is_unwanted():
        call.was_told = True
    return call is not None and call.was_told


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Makes an array in shared memory, which a function can return without a copy. Like `np.empty`,
    it doesn't set the elements."""
    if _host is None:
        raise RuntimeError("there is no host yet; call `empty` in a function that is served")
    return _host.empty(shape if isinstance(shape, tuple) else (shape,), np.dtype(dtype))


def serve(*modules: Module, n_calls: int = 64) -> None:
    """Serves the modules until the host shuts this worker down, at most `n_calls` calls at a time.

    Call it once, at the end of the program, from the main thread."""
    global _host
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        _host = Host(take_standard_input(), {module.name: module for module in modules}, n_calls)
        _host.run()
    except Violation as violation:
        exit_at_once(f"the host broke the protocol: it {violation}", 70)


_host: Host | None = None
