"""The socket, and what is said on it: messages, frames, and the end (sections 2, 5 and 12)."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import sys
import threading
from collections import deque
from typing import NoReturn

SEGMENT, FORGET, REFUSED, ENDED, CALL, REPLY, CANCEL, RELEASED, DESCRIBE, DESCRIPTION, OVERSIZE, SHUTDOWN = range(12)
MESSAGE_BYTES = 65536
NO_ROOM = {errno.EAGAIN, errno.ETOOMANYREFS}
GONE = {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN}


class Violation(Exception):
    """What the host did against docs/wire.md; the sentence begins with "it"."""


def exit_at_once(message: str, status: int) -> NoReturn:
    """Says why, and ends the process at once, whatever the functions are doing."""
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)
    os._exit(status)


def end_at_once() -> NoReturn:
    """Ends the process at once, since its host has ended. Nobody is there to be told."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit


def take_standard_input() -> socket.socket:
    """The connection (section 2)."""
    try:
        host = socket.socket(fileno=os.dup(0))
        is_ours = host.type == socket.SOCK_SEQPACKET
    except OSError:
        is_ours = False
    if not is_ours:
        exit_at_once("this program is a reedbed worker: a host starts it, with a socket as its standard input", 70)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return host


class Connection:
    """The worker's end of the socket. Frames that find no room wait in `outbox`, which `lock` guards."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.lock = threading.RLock()
        self.outbox: deque[tuple[bytes, int | None]] = deque()
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def receive(self) -> tuple[bytes, list[int]]:
        """The next message and its descriptors; -1 for one that the kernel dropped."""
        size = socket.CMSG_SPACE(8)
        try:
            message, control, flags, _ = self.socket.recvmsg(MESSAGE_BYTES + 1, size, socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            if error.errno in GONE:
                end_at_once()
            raise
        if not message:
            end_at_once()
        descriptors = [fd for _, _, data in control for fd in struct.unpack(f"{len(data) // 4}i", data)]
        if len(message) > MESSAGE_BYTES or len(descriptors) > 1:
            raise Violation(f"sent a message of {len(message)} bytes or more, with {len(descriptors)} descriptors")
        return message, descriptors or ([-1] if flags & socket.MSG_CTRUNC else [])

    def send(self, frame: bytes | bytearray, descriptor: int | None = None) -> None:
        """Sends a frame, or queues it until there is room. The descriptor is closed then."""
        with self.lock:
            self.outbox.append((bytes(frame), descriptor))
            if len(self.outbox) == 1 and not self.flush() and threading.current_thread() is not threading.main_thread():
                os.eventfd_write(self.wake, 1)

    def flush(self) -> bool:
        """Sends what is queued; tells whether nothing is left."""
        with self.lock:
            while self.outbox:
                frame, descriptor = self.outbox[0]
                rights = (
                    [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
                )
                try:
                    self.socket.sendmsg([frame], rights, socket.MSG_NOSIGNAL)
                except OSError as error:
                    if error.errno in GONE:
                        end_at_once()
                    if error.errno in NO_ROOM:
                        return False
                    raise
                self.outbox.popleft()
                if descriptor is not None:
                    os.close(descriptor)
            return True
