"""A call: its arguments, read where they are, and the arrays of its result, on their way out."""

from __future__ import annotations

import gc
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .memory import (
    ELEMENTS,
    FRAME,
    MOVED,
    READ,
    READ_WRITE,
    RETURNED,
    SENDER,
    Handle,
    Hold,
    address,
    check_bools,
    element_of,
    is_distinct,
)
from .schema import Array, Function
from .values import Malformed, Reader

if TYPE_CHECKING:
    from .sharing import Sharing

INLINE_BYTES = 32 << 10  # what the arrays of a result may take in its frame

running = threading.local()  # `call`: the one that runs on this thread


class Call:
    """A call in flight."""

    def __init__(
        self,
        host: Sharing,
        number: int,
        function: Function,
        time_left_ns: int | None,
        handles: list[Handle],
        body: bytes,
    ) -> None:
        self.host = host
        self.number, self.function, self.handles, self.body = number, function, handles, body
        self.deadline = None if time_left_ns is None else time.monotonic_ns() + time_left_ns
        self.is_cancelled = self.was_told = False
        self.argument = ""

    def is_unwanted(self) -> bool:
        return self.is_cancelled or self.deadline is not None and time.monotonic_ns() >= self.deadline

    def read(self) -> list[Any]:
        """The arguments. `argument` is the one that was read last."""
        reader, values = Reader(self.body, self.take), []
        for name, type in self.function.arguments.items():
            self.argument = name
            values.append(type.read(reader))
        self.argument = "after the last"
        reader.end()
        return values

    def take(self, index: int, array: Array) -> np.ndarray:
        """The array that a handle names, as the function's argument."""
        if index >= len(self.handles):
            raise Malformed(f"it is handle {index} of {len(self.handles)}")
        handle = self.handles[index]
        element = ELEMENTS[handle.element]
        terms = {"read": (READ,), "write": (READ_WRITE,), "own": (MOVED, RETURNED)}[array.access]
        if handle.terms not in terms:
            raise Malformed(f"it is passed on terms {handle.terms}, and the function takes it to {array.access}")
        if handle.is_taken and handle.terms != READ:
            raise Malformed("another argument has taken the array already")
        if element.code is None or np.dtype(element.code) != array.dtype or array.rank not in (None, len(handle.shape)):
            raise Malformed(f"it is an array of {element.name} in {len(handle.shape)} dimensions, not {array.text}")
        if array.text == "segment" and handle.strides != [1]:
            raise Malformed(f"it is a segment of stride {handle.strides[0]}")
        handle.is_taken = True
        strides = [stride * element.size for stride in handle.strides]
        if 0 in handle.shape:
            return np.empty(handle.shape, array.dtype)
        if handle.hold is not None:
            handle.hold.argument = self.argument
            value = handle.hold.array(array.dtype, handle.shape, strides, handle.offset)
            if handle.terms in (MOVED, RETURNED):
                check_bools(value, Malformed)
                self.host.own(handle.hold)
            return value
        data: bytes | bytearray = handle.inline if array.access == "read" else bytearray(handle.inline)
        value = np.ndarray(tuple(handle.shape), array.dtype, data, handle.offset, strides)
        check_bools(value, Malformed)
        return value


class Results:
    """The arrays of one result, on their way out."""

    def __init__(self, host: Sharing) -> None:
        self.host, self.inline, self.copied_bytes = host, bytearray(), 0
        self.handles: list[Handle] = []

    def add(self, value: Any, array: Array) -> int:
        """Takes an array, and returns the number of its handle."""
        self.check(value, array)
        value = np.asarray(value)
        handle = Handle(SENDER, 0, MOVED, 0, element_of(value.dtype), 0, list(value.shape), [])
        hold = self.host.owner(value)
        is_carried = (
            hold is not None and not hold.is_claimed and value.size > 0 and is_distinct(value.shape, value.strides)
            and not any(stride % value.itemsize for stride in value.strides)
        )  # fmt: skip
        if hold is None or not is_carried:
            hold, value = self.copy(handle, value)
        handle.hold = hold
        if hold is not None:
            hold.is_claimed = True
            root = hold.kept()
            assert root is not None
            handle.offset = hold.first + address(value) - address(root)
        handle.strides = [stride // value.itemsize for stride in value.strides]
        self.handles.append(handle)
        return len(self.handles) - 1

    def check(self, value: Any, array: Array) -> None:
        declared = f"`own {array.text}` is declared"
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{declared}, and a masked array was returned; fill it first: `.filled(..)`")
        if not isinstance(value, (np.ndarray, np.generic)):
            raise TypeError(f"{declared}, and a {type(value).__name__} was returned, which is no NumPy array")
        if value.dtype == object:
            raise TypeError(f"{declared}, and an array of Python objects was returned, which can't be shared")
        if value.dtype != array.dtype:
            raise TypeError(
                f"{declared}, and an array of {value.dtype} was returned; convert it: `.astype({array.dtype.str[1:]!r})`"
            )
        if array.rank not in (None, value.ndim):
            raise TypeError(f"{declared}, and an array of {value.ndim} dimensions was returned, {value.shape}")

    def copy(self, handle: Handle, value: np.ndarray) -> tuple[Hold | None, np.ndarray]:
        """Copies an array into the frame or a segment, in its memory order."""
        self.copied_bytes += value.nbytes
        at = -len(self.inline) % 16 + len(self.inline)
        if at + value.nbytes <= INLINE_BYTES:
            target = value.copy(order="K")
            self.inline += bytes(at - len(self.inline)) + target.ravel(order="K").tobytes()
            handle.origin, handle.offset = FRAME, at
            return None, target
        target = self.host.allocate(value.shape, value.dtype, np.empty_like(value, order="K").strides)
        np.copyto(target, value)
        return self.host.owner(target), target

    def settle(self) -> None:
        """Copies what the function gave away and kept a view of: it may not be given away."""
        for handle in self.handles:
            hold = handle.hold
            if hold is None or hold.kept() is None:
                continue
            gc.collect()
            if (root := hold.kept()) is not None:
                hold.is_claimed = False
                element = ELEMENTS[handle.element]
                strides = [stride * element.size for stride in handle.strides]
                value = np.ndarray(tuple(handle.shape), element.code, root, handle.offset - hold.first, strides)
                handle.hold, target = self.copy(handle, value)
                handle.strides = [stride // element.size for stride in target.strides]
                if handle.hold is not None:
                    handle.hold.is_claimed, handle.offset = True, handle.hold.first
                del root, value, target

    def abandon(self) -> None:
        """Takes everything back."""
        for hold in [handle.hold for handle in self.handles if handle.hold is not None]:
            if (root := hold.kept()) is None:
                self.host.let_go(hold)
            else:
                hold.is_claimed = False
                del root
