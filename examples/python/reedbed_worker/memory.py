"""Memory that both sides see: segments (section 6) and the arrays in them (section 7)."""

from __future__ import annotations

import ctypes
import fcntl
import math
import os
import struct
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .connection import Violation
from .values import I64, U8, U32, U64, Malformed, Reader, Writer


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
