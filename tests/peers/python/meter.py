"""Times calls as src/meter.rs does, and writes the samples in the same form."""

import argparse
import os
import time

import numpy as np


def arguments():
    """What src/systems/python.rs passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", required=True)
    parser.add_argument("--bytes", type=int, required=True)
    parser.add_argument("--pace-ms", type=int, required=True)
    parser.add_argument("--warm-up-ms", type=int, required=True)
    parser.add_argument("--measure-ms", type=int, required=True)
    parser.add_argument("--min-calls", type=int, required=True)
    parser.add_argument("--max-calls", type=int, required=True)
    parser.add_argument("--samples", required=True)
    return parser.parse_args()


def take_place(side):
    """Binds this process to the core that was chosen for its side, if one was."""
    core = os.environ.get(f"PEERS_{side}_CPU")
    if core is not None:
        os.sched_setaffinity(0, {int(core)})


def numbers(n_bytes):
    """The same numbers as in src/payload.rs."""
    with np.errstate(over="ignore"):
        return np.arange(n_bytes // 8, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)


def check(answer, expected):
    if int(answer) != int(expected):
        raise ValueError(f"the answer is {answer}, not {expected}")


def measure(args, call, prepare=None):
    """Times `call` until the budget is used, and writes nanoseconds. What `prepare` makes before each
    call, untimed, is passed to it."""
    samples = []
    clock = time.perf_counter_ns
    n_done, is_warm, began = 0, False, clock()
    while True:
        prepared = () if prepare is None else (prepare(),)
        begin = clock()
        call(*prepared)
        now = clock()
        n_done += 1
        if is_warm:
            samples.append(now - begin)
            is_enough = n_done >= args.min_calls and now - began >= args.measure_ms * 1_000_000
            if is_enough or n_done >= args.max_calls:
                break
        elif n_done > args.min_calls // 2 and now - began >= args.warm_up_ms * 1_000_000:
            is_warm, n_done, began = True, 0, now
        if args.pace_ms:
            time.sleep(max(0, args.pace_ms * 1e-3 - (now - begin) * 1e-9))
    np.minimum(samples, 2**32 - 1).astype("<u4").tofile(args.samples)
