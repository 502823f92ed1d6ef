"""What the Python worker of the tests serves."""

import enum
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reedbed_worker import Module, Own, Read, Write, cancelled, empty, f32, i8, i128, one_of, serve, trace_parent, u8, u32, u64

served = Module("served", "Functions of the tests.")
kept = []
barrier = threading.Barrier(2)


@dataclass
class MappedAt:
    inode: u64
    device: tuple[u32, u32]
    is_writable: bool


@dataclass
class Layout:
    shape: list[u64]
    strides: list[int]
    elements: list[float]


@dataclass
class Circle:
    radius: float


@dataclass
class Nothing:
    pass


class Colour(enum.Enum):
    Red = "red"
    Green = "green"


@dataclass
class Values:
    small: i8
    large: i128
    real: f32
    flag: bool
    text: str
    data: bytes
    path: Path
    names: dict[str, list[u8]]
    maybe: u32 | None
    colour: Colour
    shape: one_of("Shape", Circle, Nothing)


def mapped_at(array: np.ndarray) -> MappedAt | None:
    address = array.__array_interface__["data"][0]
    for line in open("/proc/self/maps"):
        range, permissions, _, device, inode = line.split()[:5]
        first, end = (int(number, 16) for number in range.split("-"))
        if first <= address < end:
            major, minor = (int(number, 16) for number in device.split(":"))
            return MappedAt(int(inode), (major, minor), "w" in permissions)
    return None


@served.function
def where_read(image: Read["u2", 2]) -> MappedAt | None:
    assert not image.flags.writeable
    return mapped_at(image)


@served.function
def where_written(image: Write["u2", 2]) -> MappedAt | None:
    return mapped_at(image)


@served.function
def layout(values: Read["f8", ...]) -> Layout:
    """What NumPy sees of an array."""
    return Layout(list(values.shape), [stride // 8 for stride in values.strides], values.ravel().tolist())


ELEMENTS = {
    "bool": "?", "u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i8": "i1", "i16": "i2", "i32": "i4",
    "i64": "i8", "f16": "f2", "f32": "f4", "f64": "f8", "c32": "c8", "c64": "c16",
}  # fmt: skip
for name, code in ELEMENTS.items():

    def echo(values):
        return values

    echo.__name__ = f"echo_{name}"
    echo.__annotations__ = {"values": Read[code, ...], "return": Own[code, ...]}
    served.function(echo)


@served.function
def fill(values: Write["u4", 2], value: u32) -> u64:
    values[...] = value
    return values.size


@served.function
def fill_then(values: Write["u4", 2], value: u32, what: str) -> None:
    """Writes, and then doesn't return."""
    values[...] = value
    if what == "raise":
        raise ValueError("after writing")
    if what == "exit":
        sys.exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@served.function(raises=True)
def divide(a: int, b: int) -> int:
    return a // b


@served.function
def undeclared(text: str) -> None:
    raise KeyError(text)


@served.function
def echo(values: Values) -> Values:
    return values


@served.function
def echo_text(text: str) -> str:
    return text


@served.function
def masked_sum(values: Read["i8", 1], mask: Read["?", 1] | None) -> int:
    return int(values.sum() if mask is None else values[mask].sum())


@served.function
def result(kind: str) -> Own["f4", 2]:
    """Arrays that can be returned, and some that can't."""
    values = np.arange(6, dtype="f4").reshape(2, 3)
    shared = empty((2, 3), "f4")
    shared[...] = values
    match kind:
        case "objects":
            return values.astype(object)
        case "big-endian":
            return values.astype(">f4")
        case "f64":
            return values.astype("f8")
        case "rank":
            return values[0]
        case "masked":
            return np.ma.masked_array(values, values > 2)
        case "list":
            return values.tolist()
        case "fortran":
            return np.asfortranarray(values)
        case "reversed":
            return values[::-1, ::-1]
        case "broadcast":
            return np.broadcast_to(values[0], (2, 3))
        case "shared":
            return shared
        case "shared fortran":
            columns = empty((3, 2), "f4").T
            columns[...] = values
            return columns
        case "shared reversed":
            return shared[::-1, ::-1]
        case "shared and kept":
            kept.append(shared)
            return shared
        case "empty":
            return values[:, :0]
    raise ValueError(kind)


@served.function
def range_of(n: u64) -> Own["f8", 1]:
    values = empty(n, "f8")
    values[...] = np.arange(n)
    return values


@served.function
def take(values: Own["f8", 1]) -> float:
    return float(values.sum())


@served.function
def keep(values: Own["f8", 1]) -> None:
    kept.append(values)


@served.function
def give_back() -> Own["f8", 1]:
    return kept.pop()


@served.function
def drop_all() -> None:
    kept.clear()


@served.function
def pass_on(values: Own["f8", 1]) -> Own["f8", 1]:
    values *= 2
    return values[::-1]


@served.function
def keep_read(image: Read["u2", 2]) -> u64:
    kept.append(image[:1].T)
    return 1


@served.function
def keep_written(image: Write["u4", 2], value: u32) -> None:
    image[...] = value
    kept.append(image[0])


@served.function
def scribble() -> u32:
    """Writes where it shouldn't; returns what was there."""
    was = int(kept[-1][0])
    kept[-1][...] = 666
    return was


@served.function
def keep_in_a_cycle(image: Read["u2", 2]) -> u64:
    """Refers to the image only from garbage."""
    cycle = [image]
    cycle.append(cycle)
    return int(image[0, 0])


@served.function
def meet() -> None:
    """Returns when it runs twice at a time."""
    barrier.wait(60)


@served.function
def wait_until_cancelled(values: Write["u4", 2], gates: tuple[Path, Path]) -> None:
    values[...] = 9
    gates[0].open("rb").close()
    while not cancelled():
        pass
    gates[1].open("rb").close()


@served.function
def wait(gates: tuple[Path, Path]) -> None:
    for gate in gates:
        gate.open("rb").close()


@served.function
def say(text: str) -> None:
    print(text)
    print(text, file=sys.stderr)
    os.system(f"echo {text}")


@served.function
def descriptors() -> u64:
    return len(os.listdir("/proc/self/fd"))


@served.function
def segments() -> u64:
    return sum("memfd:reedbed" in line for line in open("/proc/self/maps"))


@served.function
def pass_on_with_text(values: Own["f8", 1], n: u64) -> tuple[Own["f8", 1], Own["f8", 1], str]:
    """Returns an array, one that it makes, and a text of this length."""
    ones = empty(2, "f8")
    ones[...] = 1
    return values, ones, "x" * n


@served.function
def raise_at_length(n: u64) -> None:
    raise ValueError("x" * n)


@served.function
def nothing() -> None:
    pass


@served.function
def trace() -> str | None:
    return trace_parent()


@served.function
def total(values: Read["u1", 1]) -> u64:
    return int(values.sum(dtype="u8"))


if __name__ == "__main__":
    serve(served)
