"""Values, as section 3 writes them: without names, types or padding."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

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
