"""sendmmsg(2) from Python, so that a generator is not what limits a flood."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

BATCH = 64
_libc = ctypes.CDLL(None, use_errno=True)


class _Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_long),
        ("sent", ctypes.c_uint32),
    ]


class Sender:
    """Sends many datagrams by a connected socket with few system calls."""

    def __init__(self, connected: socket.socket) -> None:
        self._fd = connected.fileno()
        self._vectors = (_Vector * BATCH)()
        self._headers = (_Header * BATCH)()
        for header, vector in zip(self._headers, self._vectors, strict=True):
            header.vectors = ctypes.pointer(vector)
            header.vector_count = 1

    def send(self, datagrams: list[bytes]) -> None:
        """Send all of them, in order; what the system refuses is tried again."""
        for first in range(0, len(datagrams), BATCH):
            batch = datagrams[first : first + BATCH]
            for vector, data in zip(self._vectors, batch, strict=False):
                vector.base = data
                vector.length = len(data)
            done = 0
            while done < len(batch):
                sent = _libc.sendmmsg(
                    self._fd,
                    ctypes.byref(self._headers, done * ctypes.sizeof(_Header)),
                    len(batch) - done,
                    0,
                )
                done += max(sent, 0)
