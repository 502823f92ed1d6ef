"""The host, as a worker sees it: first messages, frames, calls and descriptions (4, 5, 9 and 10)."""

from __future__ import annotations

import gc
import os
import queue
import select
import socket
import struct
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from .call import Call, Results, running
from .connection import (
    CALL,
    CANCEL,
    DESCRIBE,
    DESCRIPTION,
    ENDED,
    FORGET,
    MESSAGE_BYTES,
    OVERSIZE,
    REFUSED,
    RELEASED,
    REPLY,
    SEGMENT,
    SHUTDOWN,
    Violation,
    end_at_once,
    exit_at_once,
)
from .memory import MOVED, READ_WRITE, Handle
from .schema import PythonError, schema_hash, sorted_functions
from .sharing import Sharing
from .values import U8, U32, U64, Malformed, Reader, Writer

if TYPE_CHECKING:
    from . import Module

MAGIC, VERSION = b"REEDBED\0", 1
FRAME_BYTES, N_HANDLES, N_SEGMENTS = 64 << 20, 1024, 16384
UNKNOWN_FUNCTION, BAD_ARGUMENT, SEGMENT_REFUSED, SHUTTING_DOWN, PANICKED, NOT_RETURNED = range(6)


class Host(Sharing):
    """The connection to the host."""

    def __init__(self, connection: socket.socket, modules: dict[str, Module], n_calls: int) -> None:
        super().__init__(connection)
        self.modules = modules
        self.functions = {f.number: f for module in modules.values() for f in module.functions.values()}
        self.calls: dict[int, Call] = {}
        self.todo: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.n_threads = 0
        self.is_shutting_down = False
        self.pidfd = self.shake_hands(n_calls)

    # -- first messages (4)

    def shake_hands(self, n_calls: int) -> int | None:
        self.socket.settimeout(30)
        try:
            message, descriptors = self.receive()
        except TimeoutError:
            exit_at_once("no host said hello within 30 s", 70)
        if message[:8] != MAGIC:
            raise Violation("sent no hello of Reedbed's")
        reader = Reader(message[8:])
        try:
            if (version := reader.u32()) != VERSION:
                raise Violation(f"speaks version {version} of the wire, and this worker version {VERSION}")
            frame_bytes, calls, handles, segments = reader.u64(), reader.u32(), reader.u32(), reader.u32()
            trust, dispatcher, kind = reader.u32(), reader.u32(), reader.u32()
            channels = reader.list(Reader.u32)
            reader.string()
            reader.end()
        except Malformed as error:
            raise Violation(f"sent a malformed hello: {error}") from error
        if trust != 0 or dispatcher != 0 or kind != 0 or 0 not in channels:
            raise Violation(
                "asked for what this worker doesn't do: it is trusted, speaks Reedbed's dispatcher on a socket,"
                " and shares memfds"
            )
        least = lambda theirs, ours: max(1, min(theirs, ours))  # noqa: E731
        self.frame_bytes, self.n_calls = least(frame_bytes, FRAME_BYTES), least(calls, n_calls)
        self.n_handles, self.n_segments = least(handles, N_HANDLES), least(segments, N_SEGMENTS)
        welcome = Writer().put(U32, VERSION).put(U64, FRAME_BYTES).put(U32, n_calls).put(U32, N_HANDLES)
        welcome.put(U32, N_SEGMENTS).put(U32, 0).put(U64, len(self.modules))
        for module in self.modules.values():
            welcome.string(module.name).put(U64, schema_hash(module.name, module.functions.values()))
        self.socket.sendall(MAGIC + welcome.data)
        self.socket.setblocking(False)
        return descriptors[0] if descriptors else None

    # -- the main thread

    def run(self) -> None:
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        if self.pidfd is not None and self.pidfd >= 0:
            poll.register(self.pidfd, select.POLLIN)
        while not (self.is_shutting_down and self.is_drained()):
            poll.register(self.socket, select.POLLIN | (select.POLLOUT if self.outbox else 0))
            # Descriptors on their way elsewhere make no event when they arrive.
            for fd, events in poll.poll(10 if self.outbox else None):
                if fd == self.pidfd:
                    end_at_once()
                elif fd == self.wake:
                    os.eventfd_read(self.wake)
                    self.collect()
                elif events & ~select.POLLOUT:
                    self.receive_frame()
            self.flush()

    def is_drained(self) -> bool:
        with self.lock:
            return not self.calls and not self.outbox

    def receive_frame(self) -> None:
        try:
            message, descriptors = self.receive()
        except BlockingIOError:
            return
        self.treat(message, descriptors)

    def treat(self, message: bytes, descriptors: list[int], is_long: bool = False) -> None:
        reader = Reader(message)
        try:
            kind = reader.u32()
            if descriptors and kind != SEGMENT:
                raise Violation(f"sent a descriptor beside frame {kind}")
            if is_long and kind in (SEGMENT, FORGET, REFUSED, ENDED, OVERSIZE):
                raise Violation(f"sent frame {kind} as a long frame")
            with self.lock:
                if kind == SEGMENT:
                    self.on_segment(reader.u64(), reader.u64(), reader.flag(), descriptors)
                elif kind == FORGET:
                    if self.imports.pop(number := reader.u64(), None) is None:
                        raise Violation(f"forgot segment {number}, which it never announced")
                elif kind == REFUSED:
                    self.on_refused(reader.u64(), reader.string())
                elif kind == ENDED:
                    self.on_ended(reader.u64())
                elif kind == CALL:
                    self.on_call(reader)
                elif kind == CANCEL:
                    if call := self.calls.get(reader.u64()):
                        call.is_cancelled = True
                elif kind == DESCRIBE:
                    self.on_describe(reader.u64(), reader.string())
                elif kind == OVERSIZE:
                    message = self.long_frame(Handle.read(reader))
                elif kind == SHUTDOWN:
                    self.is_shutting_down = True
                else:
                    raise Violation(f"sent frame {kind}, which a worker doesn't receive")
            reader.end()
        except Malformed as error:
            raise Violation(f"sent a malformed frame: {error}") from error
        if kind == OVERSIZE:
            self.treat(message, [], is_long=True)

    # -- calls (9)

    def on_call(self, reader: Reader) -> None:
        number, function = reader.u64(), self.functions.get(reader.u64())
        time_left_ns = reader.u64() if reader.flag() else None
        handles, inline, body = reader.list(Handle.read), reader.bytes(), reader.bytes()
        if number in self.calls or len(self.calls) >= self.n_calls:
            raise Violation(f"made call {number}, while {len(self.calls)} of {self.n_calls} are in flight")
        self.bind(handles, inline)
        call = Call(self, number, function, time_left_ns, handles, body)
        self.calls[number] = call
        if self.is_shutting_down:
            self.fail(call, SHUTTING_DOWN)
        elif function is None:
            self.fail(call, UNKNOWN_FUNCTION)
        elif any(handle.hold is not None and handle.hold.mapping is None for handle in handles):
            self.fail(call, SEGMENT_REFUSED, "a segment of this call was refused; the worker's log says why")
        else:
            self.todo.put(call)
            if self.n_threads < len(self.calls):
                self.n_threads += 1
                threading.Thread(target=self.run_calls, daemon=True, name=f"calls {self.n_threads}").start()

    def run_calls(self) -> None:
        while True:
            call = self.todo.get()
            try:
                self.run_call(call)
            except Violation as violation:
                exit_at_once(f"the host broke the protocol: it {violation}", 70)
            except BaseException:
                exit_at_once(f"the worker is at its end in `{call.function.path}`\n{traceback.format_exc()}", 1)
            del call

    def run_call(self, call: Call) -> None:
        """Runs a function and answers. What it was lent must not be referred to from here."""
        function = call.function
        if call.is_unwanted():
            return self.finish(call, Writer().put(U32, RELEASED).put(U64, call.number).put(U8, 0))
        arguments, reason = [], ""
        try:
            arguments = call.read()
        except Malformed as error:
            reason = str(error)
        if reason:
            return self.fail(call, BAD_ARGUMENT, call.argument, reason)
        running.call = call
        results, panic, result = Results(self), None, None
        writer = Writer(results.add)
        try:
            result = function.body(*arguments)
        except BaseException as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]
            name, text = type(error).__qualname__, str(error)
            panic = f"{name}: {text}", f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
            if function.raises and isinstance(error, Exception):
                # Without the frame that is this worker's.
                own = error.__traceback__
                lines = traceback.format_exception(error.with_traceback(own and own.tb_next))
                result, panic = PythonError(name, text, "".join(lines)), None
                del own
        running.call = None
        arguments.clear()
        try:
            if panic is None and not call.was_told:
                function.returns.write(writer, result)
        except (TypeError, ValueError, OSError, MemoryError, struct.error) as error:
            reason = f"{type(error).__name__} in the result of `{function.path}`: {error}"
        result = None
        kept = self.settle(call)
        if kept and panic is None:
            reason = kept
        if call.was_told or panic is not None or reason:
            results.abandon()
        if call.was_told:
            print(kept, end="\n" * bool(kept), file=sys.stderr)
            self.finish(call, Writer().put(U32, RELEASED).put(U64, call.number).put(U8, 1))
        elif panic is not None:
            self.fail(call, PANICKED, "; ".join(filter(None, [panic[0], kept])), location=panic[1])
        elif reason:
            self.fail(call, NOT_RETURNED, reason)
        else:
            self.answer(call, results, writer.data)

    def settle(self, call: Call) -> str:
        """Ends the leases of a call; says which array the function has kept a view of, if any."""
        kept = ""
        for hold in [handle.hold for handle in call.handles if handle.hold is not None and handle.terms < MOVED]:
            if hold.kept() is not None:
                gc.collect()
            if hold.kept() is None or hold.mapping is None:
                continue
            name = hold.argument
            kept = f"`{call.function.path}` keeps a view of its argument `{name}`, which it was lent until it returns"
            kept += f"; keep a copy: `{name}.copy()`"
            if hold.terms == READ_WRITE:
                with self.lock:
                    if hold.mapping.n_holds > 1:
                        exit_at_once(f"{kept}. What else is in use there can't be protected from it", 1)
                    hold.segment.mappings[True] = hold.mapping.cut(hold.first, hold.end)
        return kept

    def fail(self, call: Call, failure: int, *texts: str, location: str | None = None) -> None:
        writer = Writer().put(U32, REPLY).put(U64, call.number).put(U32, 1).put(U32, failure)
        for text in texts:
            writer.string(text)
        if failure == PANICKED:
            writer.option(location)
        self.finish(call, writer)

    def answer(self, call: Call, results: Results, body: bytearray) -> None:
        results.settle()
        with self.lock:
            writer = Writer().put(U32, REPLY).put(U64, call.number).put(U32, 0).put(U64, len(results.handles))
            n_bytes = len(results.inline) + len(body)
            if (
                len(results.handles) > self.n_handles
                or n_bytes + 1024 * len(results.handles) + 64 > self.frame_bytes > MESSAGE_BYTES
            ):
                results.abandon()
                reason = f"the result of `{call.function.path}` has {len(results.handles)} arrays and {n_bytes} bytes"
                reason += f" beside them; {self.n_handles} and {self.frame_bytes} are agreed on"
                return self.fail(call, NOT_RETURNED, reason)
            for handle in results.handles:
                self.give(handle)
                handle.write(writer)
            writer.bytes(results.inline).bytes(body).put(U64, results.copied_bytes)
            self.finish(call, writer)

    def finish(self, call: Call, writer: Writer) -> None:
        """Lets go of what the call held, and answers it."""
        with self.lock:
            for hold in [handle.hold for handle in call.handles if handle.hold is not None]:
                if hold.terms < MOVED or hold.root is None:
                    self.let_go(hold) if hold.terms >= MOVED else hold.release()
            self.collect()
            del self.calls[call.number]
            self.send(writer.data)
            if self.is_shutting_down:
                os.eventfd_write(self.wake, 1)

    # -- descriptions (10)

    def on_describe(self, number: int, name: str) -> None:
        writer = Writer().put(U32, DESCRIPTION).put(U64, number).put(U8, name in self.modules)
        if module := self.modules.get(name):
            writer.string(module.name).string(module.docs).put(U64, len(module.functions))
            for function in sorted_functions(module.functions.values()):
                writer.string(function.name).string(function.docs).put(U64, len(function.arguments))
                for argument, type in function.arguments.items():
                    writer.string(argument).string(type.text)
                writer.string(function.returns.text)
        self.send(writer.data)
