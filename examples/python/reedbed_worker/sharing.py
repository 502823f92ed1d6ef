"""Who owns which memory, and until when: segments of both sides, leases and transfers (section 8)."""

from __future__ import annotations

import ctypes
import fcntl
import math
import os
import queue
import socket
import sys
import weakref

import numpy as np

from .connection import ENDED, FORGET, MESSAGE_BYTES, OVERSIZE, REFUSED, SEGMENT, Connection, Violation
from .memory import (
    ELEMENTS,
    FRAME,
    MOVED,
    READ,
    READ_WRITE,
    RECEIVER,
    RETURNED,
    SEALS,
    SENDER,
    SHARED,
    Handle,
    Hold,
    Mapping,
    Segment,
    check_bools,
    check_segment,
    element_of,
)
from .values import U8, U32, U64, Writer

POOL_BYTES = 256 << 20  # what is kept of segments that the host has ended


class Sharing(Connection):
    """The memory that crosses a connection. `lock` guards all of it but `dropped`."""

    # What was agreed on in the first messages.
    frame_bytes = n_handles = n_segments = n_calls = 1

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.imports: dict[int, Segment] = {}
        self.exports: dict[int, Segment] = {}
        self.free: list[Segment] = []
        self.n_exported = self.n_transfers = 0
        self.owners: dict[int, Hold] = {}  # by the address of their root
        self.dropped: queue.SimpleQueue[tuple[int, Hold]] = queue.SimpleQueue()  # what the garbage collector found

    def send(self, frame: bytes | bytearray, descriptor: int | None = None) -> None:
        """Sends a frame, in a segment of its own if it is long (11)."""
        with self.lock:
            super().send(self.oversize(frame) if len(frame) > MESSAGE_BYTES else frame, descriptor)

    def oversize(self, frame: bytes | bytearray) -> bytes | bytearray:
        """Puts a long frame into a segment; returns the frame that says so."""
        memory = self.allocate((len(frame),), np.dtype("u1"), (1,))
        memory[:] = np.frombuffer(frame, np.uint8)
        hold = self.owner(memory)
        assert hold is not None
        hold.is_claimed = True
        handle = Handle(SENDER, 0, MOVED, 0, 1, 0, [len(frame)], [1], hold=hold)
        writer = Writer().put(U32, OVERSIZE)
        self.give(handle)
        handle.write(writer)
        return writer.data

    # -- segments of the host's (6)

    def on_segment(self, number: int, length: int, is_writable: bool, descriptors: list[int]) -> None:
        segment = self.imports.get(number)
        if segment is None and len(self.imports) >= self.n_segments + 256:
            raise Violation(f"announced more than {self.n_segments} segments")
        if not descriptors:
            raise Violation(f"announced segment {number} without a descriptor")
        mapping, why = None, "its descriptor didn't arrive: raise RLIMIT_NOFILE of the worker"
        if descriptors[0] >= 0:
            try:
                check_segment(descriptors[0], length)
                mapping = (
                    segment and segment.mappings.get(is_writable) or Mapping.of(descriptors[0], length, is_writable)
                )
            except OSError as error:
                why = f"it can't be mapped: {error}"
            finally:
                os.close(descriptors[0])
        segment = self.imports.setdefault(number, Segment(number, length, False))
        if segment.length != length:
            raise Violation(f"announced segment {number} of {segment.length} bytes again, with {length}")
        segment.mappings[is_writable] = mapping
        if mapping is None:
            self.send(Writer().put(U32, REFUSED).put(U64, number).string(why).data)

    def long_frame(self, handle: Handle) -> bytes:
        """The bytes of a long frame (11)."""
        if (handle.origin, handle.terms, handle.element, handle.strides) != (SENDER, MOVED, 1, [1]):
            raise Violation("sent a long frame that isn't a moved run of bytes")
        if handle.shape[0] > self.frame_bytes:
            raise Violation(f"sent a long frame of {handle.shape[0]} bytes, where {self.frame_bytes} are agreed on")
        hold = self.hold(handle, is_read=True)
        if hold.mapping is None:
            raise Violation("sent a long frame in a segment that was refused")
        message = ctypes.string_at(hold.mapping.address + handle.first, handle.end - handle.first)
        self.let_go(hold)
        return message

    # -- segments of this worker

    def on_refused(self, number: int, reason: str) -> None:
        if not 0 < number <= self.n_exported:
            raise Violation(f"refused segment {number}, which was never announced")
        if segment := self.exports.get(number):
            print(f"the host can't use a segment of {segment.length} bytes: {reason}", file=sys.stderr)
            segment.is_refused = True

    def on_ended(self, transfer: int) -> None:
        segment = next((s for s in self.exports.values() if transfer in s.given), None)
        if segment is None:
            raise Violation(f"ended transfer {transfer}, which isn't under way")
        first, end = segment.given.pop(transfer)
        if any(hold.terms < MOVED and hold.first < end and first < hold.end for hold in segment.holds):
            raise Violation(f"ended transfer {transfer} while it lent a part of it")
        self.recycle(segment)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        element_of(dtype)
        return self.allocate(shape, dtype, np.empty(shape, dtype).strides)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]) -> np.ndarray:
        """An array that begins a segment of its own."""
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes == 0:
            return np.empty(shape, dtype)
        with self.lock:
            fits = [segment for segment in self.free if n_bytes <= segment.length <= 4 * n_bytes + MESSAGE_BYTES]
            if fits:
                segment = min(fits, key=lambda segment: segment.length)
                self.free.remove(segment)
            else:
                segment = self.create(n_bytes)
            hold = Hold(segment, segment.mapping(READ_WRITE), 0, n_bytes, RETURNED, None)
            array = hold.array(dtype, shape, strides, 0)
            self.own(hold)
            return array

    def create(self, n_bytes: int) -> Segment:
        step = max(4096, 1 << max(0, n_bytes.bit_length() - 3))  # a later, larger result may fit, too
        length = -(-n_bytes // step) * step
        if len(self.exports) >= self.n_segments and self.free:
            self.forget(self.free.pop(0))
        if len(self.exports) >= self.n_segments:
            raise OSError(f"the host holds {len(self.exports)} arrays of this worker, and no more are agreed on")
        descriptor = os.memfd_create("reedbed-python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(descriptor, 0, length)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
            mapping = Mapping.of(descriptor, length, True)
        except OSError as error:
            os.close(descriptor)
            raise OSError(error.errno, f"no shared memory of {length} bytes: {error.strerror}") from error
        self.n_exported += 1
        segment = Segment(self.n_exported, length, True, {True: mapping}, descriptor=descriptor)
        self.exports[segment.number] = segment
        return segment

    def recycle(self, segment: Segment) -> None:
        """Keeps a segment of this worker that nobody uses, for another array."""
        if segment.holds or segment.given or segment.number not in self.exports:
            return
        if segment.is_refused:
            return self.forget(segment)
        self.free.append(segment)
        while sum(segment.length for segment in self.free) > POOL_BYTES:
            self.forget(self.free.pop(0))

    def forget(self, segment: Segment) -> None:
        del self.exports[segment.number]
        if segment.descriptor is None:
            self.send(Writer().put(U32, FORGET).put(U64, segment.number).data)
        else:
            os.close(segment.descriptor)

    # -- who owns what (8)

    def own(self, hold: Hold) -> None:
        """Watches an array that is this worker's, until its last view is gone."""
        root = hold.kept()
        assert root is not None
        with self.lock:
            self.owners[id(root)] = hold
        weakref.finalize(root, self.drop, id(root), hold).atexit = False

    def drop(self, key: int, hold: Hold) -> None:
        """Runs wherever the garbage collector does, so it takes no lock."""
        self.dropped.put((key, hold))
        os.eventfd_write(self.wake, 1)

    def owner(self, array: np.ndarray) -> Hold | None:
        """What owns the memory of an array, if that is shared and this worker's."""
        while isinstance(array.base, np.ndarray):
            array = array.base
        hold = self.owners.get(id(array))
        return hold if hold is not None and hold.kept() is array else None

    def collect(self) -> None:
        """Gives back what was dropped."""
        with self.lock:
            while not self.dropped.empty():
                key, hold = self.dropped.get()
                if self.owners.get(key) is hold:
                    del self.owners[key]
                if not hold.is_claimed:
                    self.let_go(hold)

    def let_go(self, hold: Hold) -> None:
        """Ends a right to a range of a segment."""
        with self.lock:
            hold.release()
            if hold.segment.is_ours:
                self.recycle(hold.segment)
            elif hold.transfer is not None:
                self.send(Writer().put(U32, ENDED).put(U64, hold.transfer).data)

    def give(self, handle: Handle) -> None:
        """Makes the host the owner of an array, and announces its segment before that."""
        hold = handle.hold
        if hold is None:
            return
        segment = hold.segment
        handle.segment = segment.number
        hold.release()
        if hold.transfer is not None:
            handle.origin, handle.terms, handle.transfer = RECEIVER, RETURNED, hold.transfer
            return
        self.n_transfers += 1
        handle.transfer = self.n_transfers
        handle.check(segment.length)
        segment.given[self.n_transfers] = (handle.first, handle.end)
        if segment.descriptor is not None:
            frame = Writer().put(U32, SEGMENT).put(U64, segment.number).put(U64, segment.length).put(U8, 1)
            descriptor, segment.descriptor = segment.descriptor, None
            self.send(frame.data, descriptor)

    # -- handles (7)

    def hold(self, handle: Handle, is_read: bool = False) -> Hold:
        """Checks a handle, and begins what its terms say. `is_read`: only to be read, whatever they say."""
        if handle.origin == (RECEIVER if handle.terms == MOVED else SENDER if handle.terms == RETURNED else FRAME):
            raise Violation(f"named an array on terms {handle.terms} in a segment of origin {handle.origin}")
        is_theirs = handle.origin == SENDER
        segment = (self.imports if is_theirs else self.exports).get(handle.segment)
        if segment is None:
            raise Violation(f"named segment {handle.segment}, which isn't known")
        terms = READ if is_read else handle.terms
        if is_theirs and not any(access >= (terms != READ) for access in segment.mappings):
            raise Violation(f"named segment {segment.number} to be written, which was announced to be read")
        handle.check(segment.length)
        if handle.terms == RETURNED:
            first, end = segment.given.get(handle.transfer, (1, 0))
            if not first <= handle.first <= handle.end <= end:
                raise Violation(
                    f"returned transfer {handle.transfer}, which isn't under way, or other bytes than it has"
                )
        elif not is_theirs and (
            handle.terms == SHARED or not any(a <= handle.first and handle.end <= b for a, b in segment.given.values())
        ):
            raise Violation(
                f"lent bytes {handle.first} to {handle.end} of segment {segment.number}, which aren't the host's"
            )
        for other in segment.holds:
            overlaps = handle.first < other.end and other.first < handle.end
            if overlaps and not (handle.terms == other.terms and other.terms in (READ, SHARED)):
                raise Violation(
                    f"named bytes {handle.first} to {handle.end} of segment {segment.number}, which are in use"
                )
        if handle.terms == RETURNED:
            del segment.given[handle.transfer]
        transfer = handle.transfer if handle.terms in (MOVED, SHARED) else None
        return Hold(segment, segment.mapping(terms), handle.first, handle.end, handle.terms, transfer)

    def bind(self, handles: list[Handle], inline: bytes) -> None:
        """Checks the handles of a call, in their order."""
        if len(handles) > self.n_handles:
            raise Violation(f"named {len(handles)} arrays in a call, where {self.n_handles} are agreed on")
        n_moved = 0
        for handle in handles:
            if handle.origin == FRAME:
                handle.inline = inline
                if handle.terms not in (READ, MOVED) or handle.transfer or handle.segment:
                    raise Violation(f"named an array in the frame on terms {handle.terms}, or with numbers")
                handle.check(len(inline))
                n_moved += (handle.end - handle.first) * (handle.terms == MOVED)
            else:
                handle.hold = self.hold(handle)
            if handle.terms < MOVED and ELEMENTS[handle.element].code == "?" and 0 not in handle.shape:
                memory = handle.inline if handle.hold is None else handle.hold.mapping and handle.hold.mapping.memory
                if memory is not None:
                    check_bools(np.ndarray(tuple(handle.shape), "?", memory, handle.offset, handle.strides), Violation)
        if n_moved > len(inline):
            raise Violation(f"moved {n_moved} bytes of arrays in {len(inline)} bytes of a frame")
