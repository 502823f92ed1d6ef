"""Sums what a host exported, and makes an array for the host: what the host's `main.rs` runs.

usage: exchange.py NAME ROWS COLUMNS
"""

import sys
from multiprocessing import resource_tracker, shared_memory

import numpy


def attach(name):
    """Attaches to a segment that another program made, and unlinks.

    Python's resource tracker would unlink it when this process exits (CPython's issue 82300); it
    is told not to.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    memory = shared_memory.SharedMemory(name)
    resource_tracker.unregister(f"/{memory.name}", "shared_memory")
    return memory


name, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

# The same memory that the host wrote, seen as an array: nothing is copied.
exported = attach(name)
image = numpy.ndarray((rows, columns), numpy.float64, exported.buf)
print(image.sum())

# What Python makes, Python unlinks.
made = shared_memory.SharedMemory(create=True, size=image.nbytes)
doubled = numpy.ndarray(image.shape, image.dtype, made.buf)
doubled[:] = 2 * image
print(made.name, flush=True)

# Until the host has read it.
sys.stdin.readline()
del image, doubled
exported.close()
made.close()
made.unlink()
