"""Serve Python functions to a Reedbed host; arrays cross without being copied.

    from reedbed_worker import Module, Own, Read, serve

    filters = Module("filters")

    @filters.function
    def smooth(image: Read["u2", 2], sigma: float) -> Own["f4", 2]: ...

    serve(filters)

The first part of this file is for whoever writes functions. The rest is for whoever wants to know how
they are called; it speaks the wire of docs/wire.md, whose sections it names. It needs Linux, Python
3.11 and NumPy, and nothing else: copy the file.

**Arrays.** `Read["u2", 2]` is an array of `uint16` with two dimensions that belongs to the host and may
be read; `Write[..]` may be written as well; `Own[..]` is yours to keep. `...` in the place of the number
stands for any number of dimensions, and `Read[bytes]` for a bare segment. The elements are where the
host has them, with any strides. What is lent (`Read`, `Write`) is lent until the function returns: a
function that keeps a view of it, in a global variable or on a thread, makes its call fail, and the
error names the argument. Copy what you keep. (Who keeps a bare address can't be noticed.)
To change what was lent, write into it: `image *= 2` or `image[:] = ..`; `image = image * 2` only gives the
name to another array.

**Results.** Return an array of exactly the declared element type and number of dimensions. One that
`empty` made, or that came as an `Own` argument, is handed over with its strides; any other is copied
once, in its own memory order.

**Values** are what their annotation says: `None`, `bool`, `int` (64 bits; `u8` to `i128` for others),
`float` (`f32` for 32 bits), `str`, `bytes`, `Path`, `list`, `dict`, `tuple`, `X | None`, dataclasses,
`enum.Enum`, and `one_of("Name", A, B)` for an enum whose variants are the dataclasses A and B.

**Errors.** What a function raises fails its call, with message and line. A function that is declared
by `@module.function(raises=True)` returns a `Result` to the host instead, with a `PythonError`.

**Threads.** Calls run at the same time, each on a thread. A long one asks `cancelled()` now and then;
`trace_parent()` tells which trace the call belongs to. The process ends with its host; only C code that
never lets go of the interpreter's lock delays that.
"""

from __future__ import annotations

import ctypes
import dataclasses
import enum
import errno
import fcntl
import gc
import inspect
import math
import operator
import os
import queue
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import types
import typing
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Union

import numpy as np

__all__ = ["Module", "Own", "PythonError", "Read", "Write", "cancelled", "empty", "one_of", "serve", "trace_parent"]
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
            those = ", ".join(str(np.dtype(e.code)) for e in ELEMENTS if e.code)
            raise TypeError(f"elements of type {dtype} ({dtype.str}) can't travel; those that can: {those}")
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


def trace_parent() -> str | None:
    """The trace to which the call that runs on this thread belongs, as W3C's header `traceparent` has
    it. Tools such as OpenTelemetry's take it from there."""
    call = getattr(running, "call", None)
    return None if call is None else call.trace_parent


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


# --------------------------------------------------------------------------------------------------
# Values, as section 3 writes them: without names, types or padding.

U8, U32, U64, I64 = (struct.Struct(form) for form in ("<B", "<I", "<Q", "<q"))


class Malformed(Exception):
    """Bytes that aren't the value that is expected."""


class Reader:
    """Reads values from bytes that nobody has checked yet."""

    def __init__(self, data: bytes, arrays: Callable[[int, Any], Any] | None = None) -> None:
        self.data, self.at, self.array = data, 0, arrays

    def take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise Malformed(f"{n} bytes are expected where {len(self.data) - self.at} are left")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, form: struct.Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def u32(self) -> int:
        return self.number(U32)

    def u64(self) -> int:
        return self.number(U64)

    def flag(self) -> bool:
        byte = self.take(1)[0]
        if byte > 1:
            raise Malformed(f"{byte} is neither 0 nor 1")
        return byte == 1

    def bytes(self) -> bytes:
        return self.take(self.u64())

    def string(self) -> str:
        try:
            return self.bytes().decode()
        except UnicodeDecodeError as error:
            raise Malformed("a string isn't UTF-8") from error

    def list(self, read: Callable[[Reader], Any]) -> list[Any]:
        n = self.u64()
        if n > max(len(self.data) - self.at, 65536):
            raise Malformed(f"a list of {n} elements can't lie in {len(self.data) - self.at} bytes")
        return [read(self) for _ in range(n)]

    def end(self) -> None:
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes are left over")


class Writer:
    """Writes values."""

    def __init__(self, arrays: Callable[[Any, Any], int] | None = None) -> None:
        self.data, self.array = bytearray(), arrays

    def put(self, form: struct.Struct, *values: Any) -> Writer:
        self.data += form.pack(*values)
        return self

    def bytes(self, data: bytes | bytearray) -> Writer:
        self.data += U64.pack(len(data)) + data
        return self

    def string(self, text: str) -> Writer:
        return self.bytes(text.encode())

    def option(self, text: str | None) -> Writer:
        self.data += b"\0" if text is None else b"\1"
        return self if text is None else self.string(text)


# --------------------------------------------------------------------------------------------------
# The socket, and what is said on it: messages, frames, and the end (sections 2, 5 and 12).

SEGMENT, FORGET, REFUSED, ENDED, CALL, REPLY, CANCEL, RELEASED, DESCRIBE, DESCRIPTION, OVERSIZE, SHUTDOWN = range(12)
PING, PONG, UNREAD = 16, 17, 18
MESSAGE_BYTES = 65536
NO_ROOM = {errno.EAGAIN, errno.ETOOMANYREFS}
GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}


class Violation(Exception):
    """What the host did against docs/wire.md; the sentence begins with "it"."""


def exit_at_once(message: str, status: int) -> NoReturn:
    """Says why, and ends the process at once, whatever the functions are doing."""
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)
    os._exit(status)


def end_at_once() -> NoReturn:
    """Ends the process at once, since its host has ended. Nobody is there to be told."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def take_standard_input() -> socket.socket:
    """The connection (section 2)."""
    try:
        host = socket.socket(fileno=os.dup(0))
        is_ours = host.type == socket.SOCK_SEQPACKET
    except OSError:
        is_ours = False
    if not is_ours:
        exit_at_once("this program is a reedbed worker: a host starts it, with a socket as its standard input", 70)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return host


class Connection:
    """The worker's end of the socket. Frames that find no room wait in `outbox`, which `lock` guards."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.lock = threading.RLock()
        self.outbox: deque[tuple[bytes, int | None]] = deque()
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def receive(self) -> tuple[bytes, list[int]]:
        """The next message and its descriptors; -1 for one that the kernel dropped."""
        size = socket.CMSG_SPACE(8)
        try:
            message, control, flags, _ = self.socket.recvmsg(MESSAGE_BYTES + 1, size, socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            if error.errno in GONE:
                end_at_once()
            raise
        if not message:
            end_at_once()
        descriptors = [fd for _, _, data in control for fd in struct.unpack(f"{len(data) // 4}i", data)]
        if len(message) > MESSAGE_BYTES or len(descriptors) > 1:
            raise Violation(f"sent a message of {len(message)} bytes or more, with {len(descriptors)} descriptors")
        return message, descriptors or ([-1] if flags & socket.MSG_CTRUNC else [])

    def send(self, frame: bytes | bytearray, descriptor: int | None = None) -> None:
        """Sends a frame, or queues it until there is room. The descriptor is closed then."""
        with self.lock:
            self.outbox.append((bytes(frame), descriptor))
            if len(self.outbox) == 1 and not self.flush() and threading.current_thread() is not threading.main_thread():
                os.eventfd_write(self.wake, 1)

    def flush(self) -> bool:
        """Sends what is queued; tells whether nothing is left."""
        with self.lock:
            while self.outbox:
                frame, descriptor = self.outbox[0]
                rights = (
                    [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
                )
                try:
                    self.socket.sendmsg([frame], rights, socket.MSG_NOSIGNAL)
                except OSError as error:
                    if error.errno in GONE:
                        end_at_once()
                    if error.errno in NO_ROOM:
                        return False
                    raise
                self.outbox.popleft()
                if descriptor is not None:
                    os.close(descriptor)
            return True


# --------------------------------------------------------------------------------------------------
# What annotations mean: the types of values and arrays, and the text of a schema (section 10).


@dataclass
class PythonError:
    """What the host receives when a function raised that is declared to."""

    type: str
    message: str
    traceback: str


def fnv1a(text: str) -> int:
    """The hash of section 9."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


class Function:
    """A function and the types of its arguments and its result."""

    def __init__(self, module: str, body: Callable[..., Any], raises: bool) -> None:
        self.body, self.raises = body, raises
        self.name, self.path = body.__name__, f"{module}.{body.__name__}"
        self.number = fnv1a(self.path)
        self.docs = inspect.getdoc(body) or ""
        if inspect.iscoroutinefunction(body) or inspect.isgeneratorfunction(body):
            raise TypeError(f"function `{self.path}` must be an ordinary one, neither async nor a generator")
        hints = typing.get_type_hints(body, include_extras=True)
        for name in [*inspect.signature(body).parameters, "return"]:
            if name not in hints:
                what = "what it returns (`-> None` if nothing)" if name == "return" else f"`{name}`"
                raise TypeError(f"function `{self.path}` has no annotation for {what}")
        self.returns = self.type_of("return", hints["return"])
        if raises:
            self.returns = result_of(self.returns, type_of(PythonError))
        if "read ndarray" in self.returns.text or "write ndarray" in self.returns.text:
            raise TypeError(f"function `{self.path}` returns `{self.returns.text}`; annotate it with `Own[..]`")
        self.arguments = {name: self.type_of(name, hints[name]) for name in inspect.signature(body).parameters}

    def type_of(self, name: str, annotation: Any) -> Type:
        try:
            return type_of(annotation)
        except TypeError as error:
            what = "what it returns" if name == "return" else f"`{name}`"
            raise TypeError(f"function `{self.path}`, annotation for {what}: {error}") from None

    @property
    def signature(self) -> str:
        arguments = ", ".join(f"{name}: {type.text}" for name, type in self.arguments.items())
        return f"{self.name}({arguments}) -> {self.returns.text}"


def sorted_functions(functions: Iterable[Function]) -> list[Function]:
    return sorted(functions, key=lambda function: function.name.encode())


def schema_hash(module: str, functions: Iterable[Function]) -> int:
    """The hash of section 10."""
    return fnv1a(module + "\n".join(function.signature for function in sorted_functions(functions)))


class Type(NamedTuple):
    """A type: its text in a schema, and how its values are read and written."""

    text: str
    read: Callable[[Reader], Any]
    write: Callable[[Writer, Any], Any]


class Array(NamedTuple):
    access: str
    dtype: np.dtype
    rank: int | None
    text: str


class Variants(NamedTuple):
    name: str
    classes: tuple[type, ...]


def expected(text: str, value: Any) -> NoReturn:
    raise TypeError(f"`{text}` is declared, and {value!r:.200} of type {type(value).__name__} was returned")


def type_of(annotation: Any, inside: tuple[Any, ...] = ()) -> Type:
    """The type that an annotation means."""
    annotation = type(None) if annotation is None else annotation
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in inside:
        raise TypeError(f"{annotation} contains itself, which this worker doesn't support")
    inner: Callable[[Any], Type] = lambda part: type_of(part, (*inside, annotation))  # noqa: E731
    if origin is Annotated and isinstance(args[1], Array):
        return array_type(args[1])
    if origin is Annotated and isinstance(args[1], Variants):
        cases = [(case.__name__, case, *fields_of(case, inner)) for case in args[1].classes]
        return enum_type(args[1].name, cases)
    if origin is Annotated and isinstance(args[1], str):
        return number_type(args[1])
    if annotation in SCALARS:
        return SCALARS[annotation]()
    if origin is list:
        return list_type(inner(args[0]))
    if origin is dict:
        return map_type(inner(args[0]), inner(args[1]))
    if origin is tuple:
        return tuple_type([inner(part) for part in args])
    if origin in (Union, types.UnionType) and len(args) == 2 and type(None) in args:
        return option_type(inner(next(part for part in args if part is not type(None))))
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        text, read, write = fields_of(annotation, inner)
        return Type(f"struct {annotation.__name__} {text}", read, write)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        cases = [(case.name, case, "{  }", lambda reader, c=case: c, lambda *_: None) for case in annotation]
        return enum_type(annotation.__name__, cases)
    if np.ndarray in (annotation, origin):
        raise TypeError('an array is annotated with its elements and dimensions, as in `Read["u2", 2]`')
    raise TypeError(f"{annotation!r} is no type that travels; see `help(reedbed_worker)`")


def number_type(name: str) -> Type:
    if name[0] == "f":
        form = struct.Struct("<f" if name == "f32" else "<d")
        return Type(name, lambda r: r.number(form), lambda w, value: w.put(form, float(value)))
    n_bytes, signed = int(name[1:]) // 8, name[0] == "i"

    def write(writer: Writer, value: Any) -> None:
        try:
            writer.data += operator.index(value).to_bytes(n_bytes, "little", signed=signed)
        except (TypeError, OverflowError):
            expected(name, value)

    return Type(name, lambda r: int.from_bytes(r.take(n_bytes), "little", signed=signed), write)


def plain(text: str, kind: Any, read: Callable[[Reader], Any], write: Callable[[Writer, Any], Any]) -> Type:
    def checked(writer: Writer, value: Any) -> None:
        if not isinstance(value, kind):
            expected(text, value)
        write(writer, value)

    return Type(text, read, checked)


SCALARS: dict[Any, Callable[[], Type]] = {
    type(None): lambda: plain("()", type(None), lambda r: None, lambda w, value: None),
    bool: lambda: plain("bool", (bool, np.bool_), Reader.flag, lambda w, value: w.put(U8, bool(value))),
    int: lambda: number_type("i64"),
    float: lambda: number_type("f64"),
    str: lambda: plain("string", str, Reader.string, Writer.string),
    bytes: lambda: plain("list<u8>", bytes, Reader.bytes, Writer.bytes),
    Path: lambda: plain("path", Path, lambda r: Path(r.string()), lambda w, value: w.string(str(value))),
}


def list_type(element: Type) -> Type:
    def write(writer: Writer, value: Any) -> None:
        writer.put(U64, len(value))
        for part in value:
            element.write(writer, part)

    text = f"list<{element.text}>"
    return plain(text, (list, tuple), lambda reader: reader.list(element.read), write)


def map_type(key: Type, value: Type) -> Type:
    def write(writer: Writer, entries: Any) -> None:
        writer.put(U64, len(entries))
        for k, v in entries.items():
            key.write(writer, k)
            value.write(writer, v)

    def read(reader: Reader) -> Any:
        return dict(reader.list(lambda r: (key.read(r), value.read(r))))

    return plain(f"map<{key.text}, {value.text}>", dict, read, write)


def tuple_type(parts: list[Type]) -> Type:
    text = f"tuple<{', '.join(part.text for part in parts)}>"

    def write(writer: Writer, value: Any) -> None:
        if len(value) != len(parts):
            expected(text, value)
        for part, item in zip(parts, value):
            part.write(writer, item)

    return plain(text, tuple, lambda reader: tuple(part.read(reader) for part in parts), write)


def option_type(some: Type) -> Type:
    def write(writer: Writer, value: Any) -> None:
        writer.put(U8, value is not None)
        if value is not None:
            some.write(writer, value)

    return Type(f"option<{some.text}>", lambda r: some.read(r) if r.flag() else None, write)


def result_of(value: Type, error: Type) -> Type:
    """`write` takes an error as itself, anything else as a value."""

    def write(writer: Writer, result: Any) -> None:
        is_error = isinstance(result, PythonError)
        (error if is_error else value).write(writer.put(U32, is_error), result)

    return Type(f"result<{value.text}, {error.text}>", lambda r: None, write)


def fields_of(
    cls: Any, inner: Callable[[Any], Type]
) -> tuple[str, Callable[[Reader], Any], Callable[[Writer, Any], None]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {item.name: inner(hints[item.name]) for item in dataclasses.fields(cls)}

    def write(writer: Writer, value: Any) -> None:
        if not isinstance(value, cls):
            expected(cls.__name__, value)
        for name, type in fields.items():
            type.write(writer, getattr(value, name))

    text = f"{{ {', '.join(f'{name}: {type.text}' for name, type in fields.items())} }}"
    return text, lambda reader: cls(*[type.read(reader) for type in fields.values()]), write


def enum_type(
    name: str, cases: list[tuple[str, Any, str, Callable[[Reader], Any], Callable[[Writer, Any], None]]]
) -> Type:
    text = f"enum {name} {{ {', '.join(f'{case[0]} {case[2]}' for case in cases)} }}"

    def read(reader: Reader) -> Any:
        number = reader.u32()
        if number >= len(cases):
            raise Malformed(f"`{name}` has no variant {number}")
        return cases[number][3](reader)

    def write(writer: Writer, value: Any) -> None:
        for number, (_, case, _, _, write_fields) in enumerate(cases):
            if value is case or isinstance(case, type) and type(value) is case:
                return write_fields(writer.put(U32, number), value)
        expected(text, value)

    return Type(text, read, write)


def array_type(array: Array) -> Type:
    def read(reader: Reader) -> np.ndarray:
        if reader.array is None:
            raise Malformed("no array can be here")
        return reader.array(reader.u32(), array)

    def write(writer: Writer, value: Any) -> None:
        assert writer.array is not None
        writer.put(U32, writer.array(value, array))

    return Type(f"{array.access} {array.text}", read, write)


# --------------------------------------------------------------------------------------------------
# Memory that both sides see: segments (section 6) and the arrays in them (section 7).


class Element(NamedTuple):
    name: str
    code: str | None
    size: int
    boundary: int


ELEMENTS = [
    Element("bool", "?", 1, 1), Element("u8", "u1", 1, 1), Element("u16", "<u2", 2, 2), Element("u32", "<u4", 4, 4),
    Element("u64", "<u8", 8, 8), Element("u128", None, 16, 16), Element("i8", "i1", 1, 1), Element("i16", "<i2", 2, 2),
    Element("i32", "<i4", 4, 4), Element("i64", "<i8", 8, 8), Element("i128", None, 16, 16), Element("f16", "<f2", 2, 2),
    Element("bf16", None, 2, 2), Element("f32", "<f4", 4, 4), Element("f64", "<f8", 8, 8),
    Element("complex<f32>", "<c8", 8, 4), Element("complex<f64>", "<c16", 16, 8),
]  # fmt: skip
READ, READ_WRITE, MOVED, RETURNED, SHARED = range(5)
SENDER, RECEIVER, FRAME = range(3)  # who announced the segment of a handle
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MREMAP_MAYMOVE = 0x1, 0x2, 0x10, 0x20, 1
TMPFS_MAGIC = 0x01021994

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = _libc.mremap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Mapping:
    """The pages of a segment in this process. They are unmapped when the last array over them is gone,
    which Python's own `mmap` would keep a descriptor for."""

    def __init__(self, address: int, length: int) -> None:
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.address, self.length, self.n_holds = address, length, 0
        self.memory = (ctypes.c_ubyte * length).from_address(address)
        weakref.finalize(self.memory, _libc.munmap, address, length).atexit = False

    @staticmethod
    def of(descriptor: int, length: int, is_writable: bool) -> Mapping:
        return Mapping(_libc.mmap(None, length, 3 if is_writable else 1, MAP_SHARED, descriptor, 0), length)

    def cut(self, first: int, end: int) -> Mapping:
        """Maps the pages elsewhere, and puts private memory in their place, for a view that was kept."""
        elsewhere = Mapping(_libc.mremap(self.address, 0, self.length, MREMAP_MAYMOVE), self.length)
        kept = ctypes.string_at(self.address + first, end - first)
        _libc.mmap(self.address, self.length, 3, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0)
        ctypes.memmove(self.address + first, kept, len(kept))
        return elsewhere


class Hold:
    """The right to use a range of a segment: a lease, a transfer to this worker, or its own memory.

    `root` is the one array over these bytes; every view of them keeps it alive, and so tells whether a
    function has kept one."""

    def __init__(
        self, segment: Segment, mapping: Mapping | None, first: int, end: int, terms: int, transfer: int | None
    ) -> None:
        self.segment, self.mapping, self.first, self.end = segment, mapping, first, end
        self.terms, self.transfer, self.is_claimed, self.argument = terms, transfer, False, ""
        self.root: Callable[[], np.ndarray | None] | None = None
        if mapping is not None:
            mapping.n_holds += 1
        segment.holds.append(self)

    def kept(self) -> np.ndarray | None:
        """The root, if someone still has a view."""
        return self.root() if self.root is not None else None

    def release(self) -> None:
        self.segment.holds.remove(self)
        if self.mapping is not None:
            self.mapping.n_holds -= 1

    def array(self, dtype: np.dtype, shape: Iterable[int], strides: Iterable[int], offset: int) -> np.ndarray:
        root = self.kept()
        if root is None:
            assert self.mapping is not None
            memory = memoryview(self.mapping.memory)
            memory = memory.toreadonly() if self.terms == READ else memory
            root = np.frombuffer(memory, np.uint8, self.end - self.first, self.first)
            self.root = weakref.ref(root)
        return np.ndarray(tuple(shape), dtype, root, offset - self.first, tuple(strides))


@dataclass(eq=False)
class Segment:
    """A segment of the host's, or of this worker's."""

    number: int
    length: int
    is_ours: bool
    mappings: dict[bool, Mapping | None] = field(default_factory=dict)  # by is_writable; None: refused
    holds: list[Hold] = field(default_factory=list)
    given: dict[int, tuple[int, int]] = field(default_factory=dict)  # by transfer, to the host
    descriptor: int | None = None  # until it is announced
    is_refused: bool = False

    def mapping(self, terms: int) -> Mapping | None:
        writable = self.mappings.get(True)
        return self.mappings.get(False) or writable if terms == READ else writable


@dataclass
class Handle:
    """An array as a frame names it (section 7)."""

    origin: int
    segment: int
    terms: int
    transfer: int
    element: int
    offset: int
    shape: list[int]
    strides: list[int]
    first: int = 0
    end: int = 0
    hold: Hold | None = None
    inline: bytes = b""
    is_taken: bool = False

    @staticmethod
    def read(reader: Reader) -> Handle:
        origin, segment, terms = reader.u32(), reader.u64(), reader.u32()
        if origin > FRAME or terms > SHARED:
            raise Malformed(f"a handle of origin {origin} and terms {terms}")
        transfer = reader.u64() if terms >= MOVED else 0
        element, offset = reader.take(1)[0], reader.u64()
        return Handle(
            origin,
            segment,
            terms,
            transfer,
            element,
            offset,
            reader.list(Reader.u64),
            reader.list(lambda r: r.number(I64)),
        )

    def write(self, writer: Writer) -> None:
        writer.put(U32, self.origin).put(U64, self.segment).put(U32, self.terms)
        if self.terms >= MOVED:
            writer.put(U64, self.transfer)
        writer.put(U8, self.element).put(U64, self.offset).put(U64, len(self.shape))
        writer.data += struct.pack(
            f"<{len(self.shape)}QQ{len(self.strides)}q", *self.shape, len(self.strides), *self.strides
        )

    def check(self, length: int) -> None:
        """Checks rank, numbers, bounds, boundary and that no element is there twice: 5 to 10."""
        if self.element >= len(ELEMENTS):
            raise Violation(f"named an array of the unknown element type {self.element}")
        element = ELEMENTS[self.element]
        if len(self.shape) > 32 or len(self.shape) != len(self.strides):
            raise Violation(f"named an array of {len(self.shape)} dimensions and {len(self.strides)} strides")
        spans = [max(n - 1, 0) * stride * element.size for n, stride in zip(self.shape, self.strides)]
        n_bytes = element.size * math.prod(n for n in self.shape if n)
        if n_bytes >= 2**63 or not all(-(2**63) <= span < 2**63 for span in spans):
            raise Violation(f"named an array of {self.shape} elements, whose bytes nobody can count")
        self.first = self.end = self.offset
        if 0 not in self.shape:
            self.first += sum(span for span in spans if span < 0)
            self.end += sum(span for span in spans if span > 0) + element.size
        if not 0 <= self.first <= self.end <= length:
            raise Violation(f"named bytes {self.first} to {self.end} of segment {self.segment}, which has {length}")
        if self.offset % (16 if self.origin == FRAME else element.boundary):
            raise Violation(
                f"named an array of {element.name} at byte {self.offset}, which is no multiple of its boundary"
            )
        if self.terms != READ and not is_distinct(self.shape, self.strides):
            raise Violation("named an array to write, of which two elements are the same bytes")


def is_distinct(shape: Iterable[int], strides: Iterable[int]) -> bool:
    """Whether no element is there twice (rule 10)."""
    if 0 in shape:
        return True
    reach = 0
    for stride, n in sorted((abs(stride), n) for n, stride in zip(shape, strides) if n > 1):
        if stride <= reach:
            return False
        reach += (n - 1) * stride
    return True


def check_bools(value: np.ndarray, error: type[Exception]) -> None:
    if value.dtype == np.bool_ and value.size and value.view(np.uint8).max() > 1:
        raise error("named an array of bool with an element that is neither 0 nor 1")


def element_of(dtype: np.dtype) -> int:
    return next(i for i, element in enumerate(ELEMENTS) if element.code and np.dtype(element.code) == dtype)


def address(value: np.ndarray) -> int:
    return value.__array_interface__["data"][0]


def check_segment(descriptor: int, length: int) -> None:
    """Checks that memory is what a segment must be (section 6)."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        seals = 0
    statfs = (ctypes.c_long * 32)()  # its first two fields are the kind of file system and its page size
    _libc.fstatfs(descriptor, statfs)
    stat = os.fstat(descriptor)
    if ~seals & (fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW):
        raise Violation("announced memory that isn't sealed against shrinking and growing")
    if statfs[0] != TMPFS_MAGIC or statfs[1] > 65536:
        raise Violation("announced memory of another kind than ordinary memfds have")
    if stat.st_size != length or length == 0 or stat.st_blocks * 512 < length:
        raise Violation(
            f"announced {length} bytes of memory, of which {stat.st_size} are there and {stat.st_blocks * 512} reserved"
        )


# --------------------------------------------------------------------------------------------------
# A call: its arguments, read where they are, and the arrays of its result, on their way out.

INLINE_BYTES = 32 << 10  # what the arrays of a result may take in its frame

running = threading.local()  # `call`: the one that runs on this thread


def read_trace(reader: Reader) -> str:
    """The trace that a call belongs to, in the W3C's form."""
    low, high, span, is_recorded = reader.u64(), reader.u64(), reader.u64(), reader.flag()
    if not (low or high) or not span:
        raise Malformed("a trace or its span has the number 0")
    return f"00-{high << 64 | low:032x}-{span:016x}-{is_recorded:02x}"


class Call:
    """A call in flight."""

    def __init__(
        self,
        host: Sharing,
        number: int,
        function: Function,
        time_left_ns: int | None,
        trace_parent: str | None,
        handles: list[Handle],
        body: bytes,
    ) -> None:
        self.host = host
        self.number, self.function, self.handles, self.body = number, function, handles, body
        self.trace_parent = trace_parent
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
        if array.rank not in (None, value.ndim):
            found = "a single number" if isinstance(value, np.generic) else f"an array of {value.ndim} dimensions"
            raise TypeError(f"{declared}, and {found} was returned, of shape {value.shape}")
        if value.dtype != array.dtype:
            raise TypeError(
                f"{declared}, and an array of {value.dtype} was returned; convert it: `.astype({array.dtype.str[1:]!r})`"
            )

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


# --------------------------------------------------------------------------------------------------
# Who owns which memory, and until when: segments of both sides, leases and transfers (section 8).

POOL_BYTES = 256 << 20  # what is kept of segments that the host has ended
BUDGET_BYTES = int(os.environ.get("REEDBED_SHARED_MEMORY") or 1 << 63)  # what the host gives this worker


def shortened(text: str) -> str:
    """So short that some of them fit into a message."""
    return text if len(text) <= 4096 else text[:4096] + " .."


class Sharing(Connection):
    """The memory that crosses a connection. `lock` guards all of it but `dropped`."""

    # What was agreed on in the first messages.
    frame_bytes = n_handles = n_segments = n_calls = 1

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.imports: dict[int, Segment] = {}
        self.exports: dict[int, Segment] = {}
        self.free: list[Segment] = []
        self.n_exported = self.n_transfers = 0
        self.owners: dict[int, Hold] = {}  # by the address of their root
        self.dropped: queue.SimpleQueue[tuple[int, Hold]] = queue.SimpleQueue()  # what the garbage collector found
        self.unread: dict[int, tuple[bytes | bytearray, list[Handle]]] = {}  # long answers, by transfer

    def answer_with(self, frame: bytes | bytearray, handles: list[Handle]) -> None:
        """Sends an answer that hands `handles` over, in a segment of its own if it is long (11)."""
        with self.lock:
            if len(frame) <= MESSAGE_BYTES:
                return self.send(frame)
            try:
                transfer, oversize = self.oversize(frame)
            except (OSError, MemoryError) as error:
                return self.answer_instead(frame, handles, str(error))
            self.unread[transfer] = (frame, handles)
            self.send(oversize)

    def answer_instead(self, frame: bytes | bytearray, handles: list[Handle], reason: str) -> None:
        """Sends a short failure for a long answer that found no room here, or at the host."""
        for handle in handles:
            if handle.terms == RETURNED:  # the host's again, in another way
                self.send(Writer().put(U32, ENDED).put(U64, handle.transfer).data)
            elif handle.hold is not None:
                handle.hold.segment.given.pop(handle.transfer, None)
                self.recycle(handle.hold.segment)
        reader = Reader(bytes(frame))
        kind, call = reader.u32(), reader.u64()
        writer = Writer().put(U32, REPLY).put(U64, call).put(U32, 1)
        if kind == REPLY and reader.u32() == 1:
            # A failure, in many words: that of a function that panicked, or of an argument.
            writer.put(U32, failure := reader.u32()).string(shortened(reader.string()))
            if failure == BAD_ARGUMENT:
                writer.string(shortened(reader.string()))
            elif failure == PANICKED:
                writer.option(shortened(reader.string()) if reader.flag() else None)
        else:
            writer.put(U32, NOT_RETURNED).string(shortened(reason))
        self.send(writer.data)

    def oversize(self, frame: bytes | bytearray) -> tuple[int, bytes | bytearray]:
        """Puts a long frame into a segment; returns its transfer, and the frame that says so."""
        memory = self.allocate((len(frame),), np.dtype("u1"), (1,))
        memory[:] = np.frombuffer(frame, np.uint8)
        hold = self.owner(memory)
        assert hold is not None
        hold.is_claimed = True
        handle = Handle(SENDER, 0, MOVED, 0, 1, 0, [len(frame)], [1], hold=hold)
        writer = Writer().put(U32, OVERSIZE)
        self.give(handle)
        handle.write(writer)
        return handle.transfer, writer.data

    # -- segments of the host's (6)

    def on_segment(self, number: int, length: int, is_writable: bool, descriptors: list[int]) -> None:
        segment = self.imports.get(number)
        if segment is None and len(self.imports) >= self.n_segments + 256:
            raise Violation(f"announced more than {self.n_segments} segments")
        if not descriptors:
            raise Violation(f"announced segment {number} without a descriptor")
        mapping, why = None, "its descriptor didn't arrive: raise RLIMIT_NOFILE of the worker"
        if descriptors[0] >= 0:
            try:
                check_segment(descriptors[0], length)
                mapping = (
                    segment and segment.mappings.get(is_writable) or Mapping.of(descriptors[0], length, is_writable)
                )
            except OSError as error:
                why = f"it can't be mapped: {error}"
            finally:
                os.close(descriptors[0])
        segment = self.imports.setdefault(number, Segment(number, length, False))
        if segment.length != length:
            raise Violation(f"announced segment {number} of {segment.length} bytes again, with {length}")
        segment.mappings[is_writable] = mapping
        if mapping is None:
            self.send(Writer().put(U32, REFUSED).put(U64, number).string(why).data)

    def long_frame(self, handle: Handle) -> bytes | None:
        """The bytes of a long frame (11); none if there is no room for them, which the host is told."""
        if (handle.origin, handle.terms, handle.element, handle.strides) != (SENDER, MOVED, 1, [1]):
            raise Violation("sent a long frame that isn't a moved run of bytes")
        if handle.shape[0] > self.frame_bytes:
            raise Violation(f"sent a long frame of {handle.shape[0]} bytes, where {self.frame_bytes} are agreed on")
        hold = self.hold(handle, is_read=True)
        why = f"segment {handle.segment} was refused"
        try:
            if hold.mapping is not None:
                message = ctypes.string_at(hold.mapping.address + handle.first, handle.end - handle.first)
                self.let_go(hold)
                return message
        except MemoryError:
            why = f"no memory for {handle.end - handle.first} bytes"
        hold.release()
        self.send(Writer().put(U32, UNREAD).put(U64, handle.transfer).string(why).data)
        return None

    # -- segments of this worker

    def on_refused(self, number: int, reason: str) -> None:
        if not 0 < number <= self.n_exported:
            raise Violation(f"refused segment {number}, which was never announced")
        if segment := self.exports.get(number):
            print(f"the host can't use a segment of {segment.length} bytes: {reason}", file=sys.stderr)
            segment.is_refused = True

    def on_ended(self, transfer: int) -> None:
        segment = next((s for s in self.exports.values() if transfer in s.given), None)
        if segment is None:
            raise Violation(f"ended transfer {transfer}, which isn't under way")
        first, end = segment.given.pop(transfer)
        self.unread.pop(transfer, None)
        if any(hold.terms < MOVED and hold.first < end and first < hold.end for hold in segment.holds):
            raise Violation(f"ended transfer {transfer} while it lent a part of it")
        self.recycle(segment)

    def on_unread(self, transfer: int, reason: str) -> None:
        if transfer not in self.unread:
            raise Violation(f"could not read transfer {transfer}, which is no long frame under way")
        frame, handles = self.unread[transfer]
        self.on_ended(transfer)
        self.answer_instead(frame, handles, f"no room for a frame of {len(frame)} bytes: {reason}")

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        element_of(dtype)
        return self.allocate(shape, dtype, np.empty(shape, dtype).strides)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]) -> np.ndarray:
        """An array that begins a segment of its own."""
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes == 0:
            return np.empty(shape, dtype)
        with self.lock:
            fits = [segment for segment in self.free if n_bytes <= segment.length <= 4 * n_bytes + MESSAGE_BYTES]
            if fits:
                segment = min(fits, key=lambda segment: segment.length)
                self.free.remove(segment)
            else:
                segment = self.create(n_bytes)
            hold = Hold(segment, segment.mapping(READ_WRITE), 0, n_bytes, RETURNED, None)
            array = hold.array(dtype, shape, strides, 0)
            self.own(hold)
            return array

    def create(self, n_bytes: int) -> Segment:
        step = max(4096, 1 << max(0, n_bytes.bit_length() - 3))  # a later, larger result may fit, too
        length = -(-n_bytes // step) * step
        if len(self.exports) >= self.n_segments and self.free:
            self.forget(self.free.pop(0))
        if len(self.exports) >= self.n_segments:
            raise OSError(f"the host holds {len(self.exports)} arrays of this worker, and no more are agreed on")
        while self.made_bytes() + length > BUDGET_BYTES and self.free:
            self.forget(self.free.pop(0))
        if self.made_bytes() + length > BUDGET_BYTES:
            raise OSError(
                f"no shared memory of {length} bytes: {self.made_bytes()} of the {BUDGET_BYTES} bytes that the host "
                "gives this worker are in use (WorkerBuilder::shared_memory)"
            )
        descriptor = os.memfd_create("reedbed-python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(descriptor, 0, length)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            mapping = Mapping.of(descriptor, length, True)
        except OSError as error:
            os.close(descriptor)
            raise OSError(error.errno, f"no shared memory of {length} bytes: {error.strerror}") from error
        self.n_exported += 1
        segment = Segment(self.n_exported, length, True, {True: mapping}, descriptor=descriptor)
        self.exports[segment.number] = segment
        return segment

    def made_bytes(self) -> int:
        return sum(segment.length for segment in self.exports.values())

    def recycle(self, segment: Segment) -> None:
        """Keeps a segment of this worker that nobody uses, for another array."""
        if segment.holds or segment.given or segment.number not in self.exports:
            return
        if segment.is_refused:
            return self.forget(segment)
        self.free.append(segment)
        while sum(segment.length for segment in self.free) > POOL_BYTES:
            self.forget(self.free.pop(0))

    def forget(self, segment: Segment) -> None:
        del self.exports[segment.number]
        if segment.descriptor is None:
            self.send(Writer().put(U32, FORGET).put(U64, segment.number).data)
        else:
            os.close(segment.descriptor)

    # -- who owns what (8)

    def own(self, hold: Hold) -> None:
        """Watches an array that is this worker's, until its last view is gone."""
        root = hold.kept()
        assert root is not None
        with self.lock:
            self.owners[id(root)] = hold
        weakref.finalize(root, self.drop, id(root), hold).atexit = False

    def drop(self, key: int, hold: Hold) -> None:
        """Runs wherever the garbage collector does, so it takes no lock."""
        self.dropped.put((key, hold))
        os.eventfd_write(self.wake, 1)

    def owner(self, array: np.ndarray) -> Hold | None:
        """What owns the memory of an array, if that is shared and this worker's."""
        while isinstance(array.base, np.ndarray):
            array = array.base
        hold = self.owners.get(id(array))
        return hold if hold is not None and hold.kept() is array else None

    def collect(self) -> None:
        """Gives back what was dropped."""
        with self.lock:
            while not self.dropped.empty():
                key, hold = self.dropped.get()
                if self.owners.get(key) is hold:
                    del self.owners[key]
                if not hold.is_claimed:
                    self.let_go(hold)

    def let_go(self, hold: Hold) -> None:
        """Ends a right to a range of a segment."""
        with self.lock:
            hold.release()
            if hold.segment.is_ours:
                self.recycle(hold.segment)
            elif hold.transfer is not None:
                self.send(Writer().put(U32, ENDED).put(U64, hold.transfer).data)

    def give(self, handle: Handle) -> None:
        """Makes the host the owner of an array, and announces its segment before that."""
        hold = handle.hold
        if hold is None:
            return
        segment = hold.segment
        handle.segment = segment.number
        hold.release()
        if hold.transfer is not None:
            handle.origin, handle.terms, handle.transfer = RECEIVER, RETURNED, hold.transfer
            return
        self.n_transfers += 1
        handle.transfer = self.n_transfers
        handle.check(segment.length)
        segment.given[self.n_transfers] = (handle.first, handle.end)
        if segment.descriptor is not None:
            frame = Writer().put(U32, SEGMENT).put(U64, segment.number).put(U64, segment.length).put(U8, 1)
            descriptor, segment.descriptor = segment.descriptor, None
            self.send(frame.data, descriptor)

    # -- handles (7)

    def hold(self, handle: Handle, is_read: bool = False) -> Hold:
        """Checks a handle, and begins what its terms say. `is_read`: only to be read, whatever they say."""
        if handle.origin == (RECEIVER if handle.terms == MOVED else SENDER if handle.terms == RETURNED else FRAME):
            raise Violation(f"named an array on terms {handle.terms} in a segment of origin {handle.origin}")
        is_theirs = handle.origin == SENDER
        segment = (self.imports if is_theirs else self.exports).get(handle.segment)
        if segment is None:
            raise Violation(f"named segment {handle.segment}, which isn't known")
        terms = READ if is_read else handle.terms
        if is_theirs and not any(access >= (terms != READ) for access in segment.mappings):
            raise Violation(f"named segment {segment.number} to be written, which was announced to be read")
        handle.check(segment.length)
        if handle.terms == RETURNED:
            first, end = segment.given.get(handle.transfer, (1, 0))
            if not first <= handle.first <= handle.end <= end:
                raise Violation(
                    f"returned transfer {handle.transfer}, which isn't under way, or other bytes than it has"
                )
        elif not is_theirs and (
            handle.terms == SHARED or not any(a <= handle.first and handle.end <= b for a, b in segment.given.values())
        ):
            raise Violation(
                f"lent bytes {handle.first} to {handle.end} of segment {segment.number}, which aren't the host's"
            )
        for other in segment.holds:
            overlaps = handle.first < other.end and other.first < handle.end
            if overlaps and not (handle.terms == other.terms and other.terms in (READ, SHARED)):
                raise Violation(
                    f"named bytes {handle.first} to {handle.end} of segment {segment.number}, which are in use"
                )
        if handle.terms == RETURNED:
            del segment.given[handle.transfer]
        transfer = handle.transfer if handle.terms in (MOVED, SHARED) else None
        return Hold(segment, segment.mapping(terms), handle.first, handle.end, handle.terms, transfer)

    def bind(self, handles: list[Handle], inline: bytes) -> None:
        """Checks the handles of a call, in their order."""
        if len(handles) > self.n_handles:
            raise Violation(f"named {len(handles)} arrays in a call, where {self.n_handles} are agreed on")
        n_moved = 0
        for handle in handles:
            if handle.origin == FRAME:
                handle.inline = inline
                if handle.terms not in (READ, MOVED) or handle.transfer or handle.segment:
                    raise Violation(f"named an array in the frame on terms {handle.terms}, or with numbers")
                handle.check(len(inline))
                n_moved += (handle.end - handle.first) * (handle.terms == MOVED)
            else:
                handle.hold = self.hold(handle)
            if handle.terms < MOVED and ELEMENTS[handle.element].code == "?" and 0 not in handle.shape:
                memory = handle.inline if handle.hold is None else handle.hold.mapping and handle.hold.mapping.memory
                if memory is not None:
                    check_bools(np.ndarray(tuple(handle.shape), "?", memory, handle.offset, handle.strides), Violation)
        if n_moved > len(inline):
            raise Violation(f"moved {n_moved} bytes of arrays in {len(inline)} bytes of a frame")


# --------------------------------------------------------------------------------------------------
# The host, as a worker sees it: first messages, frames, calls and descriptions (4, 5, 9 and 10).

MAGIC, VERSION = b"REEDBED\0", 1
FRAME_BYTES, N_HANDLES, N_SEGMENTS = 64 << 20, 1024, 16384
UNKNOWN_FUNCTION, BAD_ARGUMENT, SEGMENT_REFUSED, SHUTTING_DOWN, PANICKED, NOT_RETURNED = range(6)


class Host(Sharing):
    """The connection to the host."""

    def __init__(self, connection: socket.socket, modules: dict[str, Module], n_calls: int) -> None:
        super().__init__(connection)
        self.modules = modules
        self.functions = {f.number: f for module in modules.values() for f in module.functions.values()}
        self.calls: dict[int, Call] = {}
        self.todo: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.n_threads = 0
        self.is_shutting_down = False
        self.pidfd = self.shake_hands(n_calls)

    # -- first messages (4)

    def shake_hands(self, n_calls: int) -> int | None:
        self.socket.settimeout(30)
        try:
            message, descriptors = self.receive()
        except TimeoutError:
            exit_at_once("no host said hello within 30 s", 70)
        if message[:8] != MAGIC:
            raise Violation("sent no hello of Reedbed's")
        reader = Reader(message[8:])
        try:
            if (version := reader.u32()) != VERSION:
                raise Violation(f"speaks version {version} of the wire, and this worker version {VERSION}")
            frame_bytes, calls, handles, segments = reader.u64(), reader.u32(), reader.u32(), reader.u32()
            trust, dispatcher, kind = reader.u32(), reader.u32(), reader.u32()
            reader.u32()  # how to wait: this worker always sleeps
            channels = reader.list(Reader.u32)
            reader.string()
            reader.end()
        except Malformed as error:
            raise Violation(f"sent a malformed hello: {error}") from error
        # Whether the host trusts it makes no difference to a worker.
        if trust not in (0, 1) or dispatcher != 0 or kind != 0 or 0 not in channels:
            raise Violation(
                "asked for what this worker doesn't do: it speaks Reedbed's dispatcher on a socket, and shares memfds"
            )
        least = lambda theirs, ours: max(1, min(theirs, ours))  # noqa: E731
        self.frame_bytes, self.n_calls = least(frame_bytes, FRAME_BYTES), least(calls, n_calls)
        self.n_handles, self.n_segments = least(handles, N_HANDLES), least(segments, N_SEGMENTS)
        welcome = Writer().put(U32, VERSION).put(U64, FRAME_BYTES).put(U32, n_calls).put(U32, N_HANDLES)
        welcome.put(U32, N_SEGMENTS).put(U32, 0).put(U64, len(self.modules))
        for module in self.modules.values():
            welcome.string(module.name).put(U64, schema_hash(module.name, module.functions.values()))
        self.socket.sendall(MAGIC + welcome.data)
        self.socket.setblocking(False)
        return descriptors[0] if descriptors else None

    # -- the main thread

    def run(self) -> None:
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        if self.pidfd is not None and self.pidfd >= 0:
            poll.register(self.pidfd, select.POLLIN)
        while not (self.is_shutting_down and self.is_drained()):
            poll.register(self.socket, select.POLLIN | (select.POLLOUT if self.outbox else 0))
            # Descriptors on their way elsewhere make no event when they arrive.
            for fd, events in poll.poll(10 if self.outbox else None):
                if fd == self.pidfd:
                    end_at_once()
                elif fd == self.wake:
                    os.eventfd_read(self.wake)
                    self.collect()
                elif events & ~select.POLLOUT:
                    self.receive_frame()
            self.flush()

    def is_drained(self) -> bool:
        with self.lock:
            return not self.calls and not self.outbox and not self.unread

    def receive_frame(self) -> None:
        try:
            message, descriptors = self.receive()
        except BlockingIOError:
            return
        self.treat(message, descriptors)

    def treat(self, message: bytes, descriptors: list[int], is_long: bool = False) -> None:
        reader = Reader(message)
        try:
            kind = reader.u32()
            if descriptors and kind != SEGMENT:
                raise Violation(f"sent a descriptor beside frame {kind}")
            if is_long and kind in (SEGMENT, FORGET, REFUSED, ENDED, UNREAD, OVERSIZE):
                raise Violation(f"sent frame {kind} as a long frame")
            with self.lock:
                if kind == SEGMENT:
                    self.on_segment(reader.u64(), reader.u64(), reader.flag(), descriptors)
                elif kind == FORGET:
                    if self.imports.pop(number := reader.u64(), None) is None:
                        raise Violation(f"forgot segment {number}, which it never announced")
                elif kind == REFUSED:
                    self.on_refused(reader.u64(), reader.string())
                elif kind == ENDED:
                    self.on_ended(reader.u64())
                elif kind == UNREAD:
                    self.on_unread(reader.u64(), reader.string())
                elif kind == CALL:
                    self.on_call(reader)
                elif kind == CANCEL:
                    if call := self.calls.get(reader.u64()):
                        call.is_cancelled = True
                elif kind == DESCRIBE:
                    self.on_describe(reader.u64(), reader.string())
                elif kind == OVERSIZE:
                    message = self.long_frame(Handle.read(reader))
                elif kind == PING:
                    self.send(Writer().put(U32, PONG).put(U64, reader.u64()).data)
                elif kind == SHUTDOWN:
                    self.is_shutting_down = True
                else:
                    raise Violation(f"sent frame {kind}, which a worker doesn't receive")
            reader.end()
        except Malformed as error:
            raise Violation(f"sent a malformed frame: {error}") from error
        if kind == OVERSIZE and message is not None:
            self.treat(message, [], is_long=True)

    # -- calls (9)

    def on_call(self, reader: Reader) -> None:
        number, function = reader.u64(), self.functions.get(reader.u64())
        time_left_ns = reader.u64() if reader.flag() else None
        trace_parent = read_trace(reader) if reader.flag() else None
        handles, inline, body = reader.list(Handle.read), reader.bytes(), reader.bytes()
        if number in self.calls or len(self.calls) >= self.n_calls:
            raise Violation(f"made call {number}, while {len(self.calls)} of {self.n_calls} are in flight")
        self.bind(handles, inline)
        call = Call(self, number, function, time_left_ns, trace_parent, handles, body)
        self.calls[number] = call
        if self.is_shutting_down:
            self.fail(call, SHUTTING_DOWN)
        elif function is None:
            self.fail(call, UNKNOWN_FUNCTION)
        elif any(handle.hold is not None and handle.hold.mapping is None for handle in handles):
            self.fail(call, SEGMENT_REFUSED, "a segment of this call was refused; the worker's log says why")
        else:
            self.todo.put(call)
            if self.n_threads < len(self.calls):
                self.n_threads += 1
                threading.Thread(target=self.run_calls, daemon=True, name=f"calls {self.n_threads}").start()

    def run_calls(self) -> None:
        while True:
            call = self.todo.get()
            try:
                self.run_call(call)
            except Violation as violation:
                exit_at_once(f"the host broke the protocol: it {violation}", 70)
            except BaseException:
                exit_at_once(f"the worker is at its end in `{call.function.path}`\n{traceback.format_exc()}", 1)
            del call

    def run_call(self, call: Call) -> None:
        """Runs a function and answers. What it was lent must not be referred to from here."""
        function = call.function
        if call.is_unwanted():
            return self.finish(call, Writer().put(U32, RELEASED).put(U64, call.number).put(U8, 0))
        arguments, reason = [], ""
        try:
            arguments = call.read()
        except Malformed as error:
            reason = str(error)
        if reason:
            return self.fail(call, BAD_ARGUMENT, call.argument, reason)
        running.call = call
        results, panic, result = Results(self), None, None
        writer = Writer(results.add)
        try:
            result = function.body(*arguments)
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]
            name, text = type(error).__qualname__, str(error)
            panic = f"{name}: {text}", f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
            if function.raises and isinstance(error, Exception):
                # Without the frame that is this worker's.
                own = error.__traceback__
                lines = traceback.format_exception(error.with_traceback(own and own.tb_next))
                result, panic = PythonError(name, text, "".join(lines)), None
                del own
        running.call = None
        arguments.clear()
        try:
            if panic is None and not call.was_told:
                function.returns.write(writer, result)
        except (TypeError, ValueError, OSError, MemoryError, struct.error) as error:
            reason = f"{type(error).__name__} in the result of `{function.path}`: {error}"
        result = None
        kept = self.settle(call)
        if kept and panic is None:
            reason = kept
        if call.was_told or panic is not None or reason:
            results.abandon()
        if call.was_told:
            print(kept, end="\n" * bool(kept), file=sys.stderr)
            self.finish(call, Writer().put(U32, RELEASED).put(U64, call.number).put(U8, 1))
        elif panic is not None:
            self.fail(call, PANICKED, "; ".join(filter(None, [panic[0], kept])), location=panic[1])
        elif reason:
            self.fail(call, NOT_RETURNED, reason)
        else:
            self.answer(call, results, writer.data)

    def settle(self, call: Call) -> str:
        """Ends the leases of a call; says which array the function has kept a view of, if any."""
        kept = ""
        for hold in [handle.hold for handle in call.handles if handle.hold is not None and handle.terms < MOVED]:
            if hold.kept() is not None:
                gc.collect()
            if hold.kept() is None or hold.mapping is None:
                continue
            name = hold.argument
            kept = f"`{call.function.path}` keeps a view of its argument `{name}`, which it was lent until it returns"
            kept += f"; keep a copy: `{name}.copy()`"
            if hold.terms == READ_WRITE:
                with self.lock:
                    if hold.mapping.n_holds > 1:
                        exit_at_once(f"{kept}. What else is in use there can't be protected from it", 1)
                    hold.segment.mappings[True] = hold.mapping.cut(hold.first, hold.end)
        return kept

    def fail(self, call: Call, failure: int, *texts: str, location: str | None = None) -> None:
        writer = Writer().put(U32, REPLY).put(U64, call.number).put(U32, 1).put(U32, failure)
        for text in texts:
            writer.string(text)
        if failure == PANICKED:
            writer.option(location)
        self.finish(call, writer)

    def answer(self, call: Call, results: Results, body: bytearray) -> None:
        results.settle()
        with self.lock:
            writer = Writer().put(U32, REPLY).put(U64, call.number).put(U32, 0).put(U64, len(results.handles))
            n_bytes = len(results.inline) + len(body)
            if (
                len(results.handles) > self.n_handles
                or n_bytes + 1024 * len(results.handles) + 64 > self.frame_bytes > MESSAGE_BYTES
            ):
                results.abandon()
                reason = f"the result of `{call.function.path}` has {len(results.handles)} arrays and {n_bytes} bytes"
                reason += f" beside them; {self.n_handles} and {self.frame_bytes} are agreed on"
                return self.fail(call, NOT_RETURNED, reason)
            for handle in results.handles:
                self.give(handle)
                handle.write(writer)
            writer.bytes(results.inline).bytes(body).put(U64, results.copied_bytes)
            self.finish(call, writer, results.handles)

    def finish(self, call: Call, writer: Writer, handles: Iterable[Handle] = ()) -> None:
        """Lets go of what the call held, and answers it."""
        with self.lock:
            for hold in [handle.hold for handle in call.handles if handle.hold is not None]:
                if hold.terms < MOVED or hold.root is None:
                    self.let_go(hold) if hold.terms >= MOVED else hold.release()
            self.collect()
            del self.calls[call.number]
            self.answer_with(writer.data, list(handles))
            if self.is_shutting_down:
                os.eventfd_write(self.wake, 1)

    # -- descriptions (10)

    def on_describe(self, number: int, name: str) -> None:
        writer = Writer().put(U32, DESCRIPTION).put(U64, number).put(U8, name in self.modules)
        if module := self.modules.get(name):
            writer.string(module.name).string(module.docs).put(U64, len(module.functions))
            for function in sorted_functions(module.functions.values()):
                writer.string(function.name).string(function.docs).put(U64, len(function.arguments))
                for argument, type in function.arguments.items():
                    writer.string(argument).string(type.text)
                writer.string(function.returns.text)
        self.answer_with(writer.data, [])
