"""What the worker of this example serves: ordinary functions on NumPy arrays."""

import os

import numpy as np

from reedbed_worker import Module, Own, Read, Write, empty, serve, u64

filters = Module("filters", "Filters for images.")


@filters.function
def inode(image: Read["u2", 2]) -> u64:
    """The file that the image is mapped from, as this process sees it."""
    address = image.__array_interface__["data"][0]
    for line in open("/proc/self/maps"):
        first, end = (int(number, 16) for number in line.split()[0].split("-"))
        if first <= address < end:
            return int(line.split()[4])
    raise LookupError(f"nothing is mapped at {address:#x}")


@filters.function
def total(image: Read["u2", 2]) -> u64:
    """The sum of all pixels."""
    print("summing", image.shape, "pixels in process", os.getpid())
    return int(image.sum())


@filters.function
def invert(image: Write["u2", 2]) -> None:
    """Inverts an image in place."""
    np.invert(image, out=image)


@filters.function
def smooth(image: Read["u2", 2], radius: u64) -> Own["f4", 2]:
    """The mean over a square around each pixel, made where the host will own it."""
    window = 2 * radius + 1
    padded = np.pad(image, radius, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
    return windows.mean(axis=(2, 3), dtype="f4", out=empty(image.shape, "f4"))


@filters.function(raises=True)
def brightest(image: Read["u2", 2]) -> tuple[u64, u64]:
    """Row and column of the brightest pixel."""
    if image.max() == image.min():
        raise ValueError(f"all {image.size} pixels are {image.flat[0]}")
    row, column = np.unravel_index(image.argmax(), image.shape)
    return int(row), int(column)


if __name__ == "__main__":
    serve(filters)
