"""What annotations mean: the types of values and arrays, and the text of a schema (section 10)."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import operator
import struct
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, Union

import numpy as np

from .values import U8, U32, U64, Malformed, Reader, Writer


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
                raise TypeError(f"function `{self.path}` has no annotation for `{name}`")
        self.returns = type_of(hints.pop("return"))
        if raises:
            self.returns = result_of(self.returns, type_of(PythonError))
        if "read ndarray" in self.returns.text or "write ndarray" in self.returns.text:
            raise TypeError(f"function `{self.path}` returns `{self.returns.text}`; annotate it with `Own[..]`")
        self.arguments = {name: type_of(hints[name]) for name in inspect.signature(body).parameters}

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
