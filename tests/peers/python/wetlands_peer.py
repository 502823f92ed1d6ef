"""Wetlands 0.4: its `NDArray` protocol, over its module executor.

Wetlands would make an environment with micromamba or pixi and start `module_executor.py` there. Here
the executor is started in this environment, by the same command line, and spoken to as
`external_environment.py` does: a connection of `multiprocessing` to a port of this machine, a
dictionary for each call, and `NDArray`s, which are pickled as the names of blocks of shared memory.
Its log goes to files and standard error at level INFO, as it does by default.
"""

import subprocess
import sys
import tempfile
from multiprocessing import resource_tracker
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import wetlands.ndarray
from wetlands.ndarray import NDArray, register_ndarray_pickle

import meter

EXECUTOR = Path(wetlands.ndarray.__file__).parent / "module_executor.py"
FUNCTIONS = Path(__file__).parent / "wetlands_functions.py"


def start(directory):
    """The executor, and the connection to it."""
    command = [sys.executable, "-u", str(EXECUTOR), "peers"]
    worker = subprocess.Popen(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: meter.take_place("WORKER"),
    )
    for line in worker.stdout:
        if line.startswith("Listening port "):
            return worker, Client(("localhost", int(line.split()[-1])))
    raise RuntimeError("the module executor ended before it listened")


def main():
    args = meter.arguments()
    meter.take_place("HOST")
    register_ndarray_pickle()
    with tempfile.TemporaryDirectory() as directory:
        worker, connection = start(directory)
        try:
            run(args, connection)
            connection.send({"action": "exit"})
            connection.recv()
        finally:
            worker.kill()
            worker.wait()


def run(args, connection):
    calls = 0

    def call(function, *arguments):
        nonlocal calls
        calls += 1
        connection.send(
            {
                "action": "execute",
                "module_path": str(FUNCTIONS),
                "function": function,
                "args": arguments,
            }
        )
        answer = connection.recv()
        if answer["action"] != "execution finished":
            raise RuntimeError(answer)
        return answer["result"]

    heap = meter.numbers(args.bytes)
    expected = int(heap.sum())
    expected_incremented = int((heap + np.uint64(1)).sum())

    def one(shared):
        index = calls * 8191 % len(heap)
        meter.check(call("one", shared, index), heap[index])

    def heap_one():
        with NDArray(heap) as shared:
            one(shared)

    def heap_sum():
        with NDArray(heap) as shared:
            meter.check(call("sum_all", shared), expected)

    def in_and_out():
        with NDArray(heap) as shared:
            returned = call("incremented", shared)
            meter.check(returned.array.sum(), expected_incremented)
            # Unpickling took it out of the tracker's list, from which unlinking takes it too.
            resource_tracker.register(returned.shm._name, "shared_memory")
            returned._array = None
            returned.dispose()

    tasks = {
        "null": lambda: call("null"),
        "heap_one": heap_one,
        "heap_sum": heap_sum,
        "returned": in_and_out,
    }
    if args.task in tasks:
        meter.measure(args, tasks[args.task])
        return
    with NDArray(heap) as shared:
        tasks = {
            "resident_one": lambda: one(shared),
            "resident_sum": lambda: meter.check(call("sum_all", shared), expected),
            "in_place": lambda: call("increment", shared),
        }
        meter.measure(args, tasks[args.task])
        if args.task == "in_place":
            meter.check(shared.array[0], calls)
        shared._array = None


if __name__ == "__main__":
    main()
