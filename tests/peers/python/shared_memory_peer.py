"""`multiprocessing.shared_memory` by hand: arrays in blocks that both sides keep open, requests and
replies over a `Pipe`.

The way its documentation goes (docs.python.org/3/library/multiprocessing.shared_memory.html), with a
pool of one block each way, which is the fastest it can be. A request names the block, and is a tuple
of small values, because a pickled array would be copied.
"""

import multiprocessing
from multiprocessing import shared_memory

import numpy as np

import meter


def array_in(block, n_bytes):
    return np.ndarray(n_bytes // 8, dtype=np.uint64, buffer=block.buf)


class Blocks:
    """The blocks that this side has open, by name."""

    def __init__(self):
        self.open = {}

    def array(self, name, n_bytes):
        if name not in self.open:
            self.open[name] = shared_memory.SharedMemory(name=name)
        return array_in(self.open[name], n_bytes)

    def forget(self, name):
        self.open.pop(name).close()


def serve(pipe, n_bytes):
    meter.take_place("WORKER")
    blocks = Blocks()
    while True:
        task, name, other, index = pipe.recv()
        if task == "stop":
            return
        answer = 0
        if task == "one":
            answer = int(blocks.array(name, n_bytes)[index])
        elif task in ("sum", "cold"):
            answer = int(blocks.array(name, n_bytes).sum())
        elif task == "returned":
            np.add(blocks.array(name, n_bytes), np.uint64(1), out=blocks.array(other, n_bytes))
        elif task == "in_place":
            numbers = blocks.array(name, n_bytes)
            numbers += np.uint64(1)
            del numbers
        if task == "cold":
            blocks.forget(name)
        pipe.send(answer)


def main():
    args = meter.arguments()
    meter.take_place("HOST")
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    worker = context.Process(target=serve, args=(theirs, args.bytes), daemon=True)
    worker.start()

    heap = meter.numbers(args.bytes)
    expected = int(heap.sum())
    expected_incremented = int((heap + np.uint64(1)).sum())
    size = max(args.bytes, 8)
    there = shared_memory.SharedMemory(create=True, size=size)
    back = shared_memory.SharedMemory(create=True, size=size)
    blocks = []
    try:
        shared, returned = array_in(there, args.bytes), array_in(back, args.bytes)
        shared[:] = heap
        calls = 0

        def call(task, name, index=0):
            nonlocal calls
            calls += 1
            pipe.send((task, name, back.name, index))
            return pipe.recv()

        def null():
            call("null", None)

        def resident_one():
            index = calls * 8191 % len(heap)
            meter.check(call("one", there.name, index), heap[index])

        def resident_sum():
            meter.check(call("sum", there.name), expected)

        def new_block():
            # That of the call before.
            while blocks:
                block = blocks.pop()
                block.close()
                block.unlink()
            blocks.append(shared_memory.SharedMemory(create=True, size=size))
            array_in(blocks[0], args.bytes)[:] = heap
            return blocks[0]

        def resident_cold(block):
            meter.check(call("cold", block.name), expected)

        def heap_one():
            shared[:] = heap
            resident_one()

        def heap_sum():
            shared[:] = heap
            resident_sum()

        def heap_cold():
            resident_cold(new_block())

        def in_and_out():
            shared[:] = heap
            call("returned", there.name)
            meter.check(returned.sum(), expected_incremented)

        def in_place():
            call("in_place", there.name)

        tasks = {
            "null": null,
            "resident_one": resident_one,
            "resident_sum": resident_sum,
            "resident_cold": resident_cold,
            "heap_one": heap_one,
            "heap_sum": heap_sum,
            "heap_cold": heap_cold,
            "returned": in_and_out,
            "in_place": in_place,
        }
        prepare = new_block if args.task == "resident_cold" else None
        meter.measure(args, tasks[args.task], prepare)
        if args.task == "in_place":
            meter.check(shared[0], calls)
        del shared, returned
        pipe.send(("stop", None, None, 0))
        worker.join()
    finally:
        for block in (there, back, *blocks):
            block.close()
            block.unlink()


if __name__ == "__main__":
    main()
