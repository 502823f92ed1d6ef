"""Tensors of torch over `torch.multiprocessing`: queues that hand over shared memory.

`file_descriptor` is the sharing strategy that its documentation recommends on Linux
(pytorch.org/docs/stable/multiprocessing.html). A resident tensor was moved to shared memory by
`share_memory_()`; one of the heap is cloned and moved for each call.
"""

import torch
import torch.multiprocessing as multiprocessing

import meter


def serve(requests, replies):
    meter.take_place("WORKER")
    torch.set_num_threads(1)
    while True:
        task, tensor, index = requests.get()
        if task == "stop":
            return
        answer = 0
        if task == "one":
            answer = int(tensor[index])
        elif task == "sum":
            answer = int(tensor.sum())
        elif task == "returned":
            answer = (tensor + 1).share_memory_()
        elif task == "in_place":
            tensor += 1
        replies.put(answer)


def main():
    args = meter.arguments()
    meter.take_place("HOST")
    torch.set_num_threads(1)
    multiprocessing.set_sharing_strategy("file_descriptor")
    context = multiprocessing.get_context("spawn")
    requests, replies = context.SimpleQueue(), context.SimpleQueue()
    worker = context.Process(target=serve, args=(requests, replies), daemon=True)
    worker.start()

    heap = torch.from_numpy(meter.numbers(args.bytes).view("int64"))
    shared = heap.clone().share_memory_()
    expected, expected_incremented = int(heap.sum()), int((heap + 1).sum())
    calls = 0

    def call(task, tensor=None, index=0):
        nonlocal calls
        calls += 1
        requests.put((task, tensor, index))
        return replies.get()

    def one(tensor):
        index = calls * 8191 % len(heap)
        meter.check(call("one", tensor, index), heap[index])

    def sum_(tensor):
        meter.check(call("sum", tensor), expected)

    def in_shared_memory():
        return heap.clone().share_memory_()

    def returned():
        incremented = call("returned", in_shared_memory())
        meter.check(incremented.sum(), expected_incremented)

    tasks = {
        "null": lambda: call("null"),
        "resident_one": lambda: one(shared),
        "resident_sum": lambda: sum_(shared),
        "heap_one": lambda: one(in_shared_memory()),
        "heap_sum": lambda: sum_(in_shared_memory()),
        "returned": returned,
        "in_place": lambda: call("in_place", shared),
    }
    meter.measure(args, tasks[args.task])
    if args.task == "in_place":
        meter.check(shared[0], calls)
    requests.put(("stop", None, 0))
    worker.join()


if __name__ == "__main__":
    main()
