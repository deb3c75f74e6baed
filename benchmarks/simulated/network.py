"""Connections that exist in memory alone: what is written arrives later, in order, or never.

Owns the wire between two protocols, and what can happen to it. Must not know SMPP. Bytes that were
written to a peer that is gone are lost, as TCP loses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from benchmarks.simulated.clock import Life, VirtualLoop, context_of, current

LATENCY_SECONDS = 0.004
ORDER_SECONDS = 1e-6

Listener = Callable[[], asyncio.Protocol]


class MemoryTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, network: Network, protocol: asyncio.Protocol, life: Life) -> None:
        super().__init__()
        self._network = network
        self.protocol = protocol
        self.life = life
        self.peer: MemoryTransport
        self._closing = False
        self._gone = False  # connection_lost was said, or will be by nobody
        self._reading = True
        self._unread: list[bytes] = []
        self._end_read = False
        self.deaf = False  # what still arrives is lost

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("memory", 0) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """What is written has always left."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        if self._unread or self._end_read:
            self._network.loop.call_soon(self._read_on, context=context_of(self.life))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._network.carry(self, bytes(data))

    def close(self) -> None:
        """What was written arrives, and then the end."""
        if not self._closing:
            self._closing = True
            self._network.carry_end(self)
            self._network.loop.call_soon(self.lost, None, context=context_of(self.life))

    def abort(self) -> None:
        self.close()

    # --- what the network brings -----------------------------------------------------------------

    def arrived(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._gone or self._closing or self.deaf:
            return
        if self._reading and not self._unread:
            self.protocol.data_received(data)
        else:
            self._unread.append(data)

    def ended(self) -> None:
        """The peer has closed."""
        if self._unread:
            self._end_read = True
        else:
            self._closing = True
            self.lost(None)

    def lost(self, error: Exception | None) -> None:
        """The connection is over for this end."""
        if not self._gone:
            self._gone = self._closing = True
            self.protocol.connection_lost(error)

    def forget(self) -> None:
        """Its process is gone, and nobody is told."""
        self._gone = self._closing = True

    def _read_on(self) -> None:
        while self._unread and self._reading and not self._gone:
            self.protocol.data_received(self._unread.pop(0))
        if self._end_read and not self._unread and not self._gone:
            self._closing = True
            self.lost(None)


class Network:
    """All connections of one world."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.written: Callable[[Life, bytes], None] = lambda life, data: None  # is told first
        self.silent_until = 0.0  # until then nothing arrives, and nothing is known to be gone
        self._listeners: dict[int, tuple[Listener, Life]] = {}
        self._open: list[MemoryTransport] = []
        self._arrives: dict[MemoryTransport, float] = {}

    def listen(self, port: int, listener: Listener) -> None:
        """Take connections to this port, in the present life."""
        self._listeners[port] = (listener, current())

    def deafen(self, port: int) -> None:
        """Take no connections any more."""
        self._listeners.pop(port, None)

    async def connect(self, make: Callable[[], asyncio.Protocol], port: int) -> None:
        """As create_connection. Raises ConnectionRefusedError where nobody listens."""
        await asyncio.sleep(self._due() - self.loop.time())
        listener, life = self._listeners.get(port, (None, None))
        if listener is None or life is None or life.ended:
            raise ConnectionRefusedError("nobody listens")
        ours = MemoryTransport(self, make(), current())
        theirs = MemoryTransport(self, listener(), life)
        ours.peer, theirs.peer = theirs, ours
        self._open = [each for each in self._open if not each.is_closing()] + [ours, theirs]
        self.loop.call_soon(theirs.protocol.connection_made, theirs, context=context_of(life))
        ours.protocol.connection_made(ours)

    def carry(self, sender: MemoryTransport, data: bytes) -> None:
        """To the peer, after the latency."""
        self.written(sender.life, data)
        self._later(sender, sender.peer.arrived, data)

    def carry_end(self, sender: MemoryTransport) -> None:
        """The end, behind all that was written."""
        self._later(sender, sender.peer.ended)

    def cut(self, *, deaf: bool) -> None:
        """Reset every connection. `deaf`: what is under way is lost with it; else it arrives."""
        for transport in self._open:
            if not transport.is_closing():
                transport.deaf = transport.deaf or deaf
                self._later(transport.peer, transport.lost, ConnectionResetError("cut"))

    def end_of(self, life: Life) -> None:
        """The system closes what a dead process has left."""
        for transport in self._open:
            if transport.life is life and not transport.is_closing():
                transport.forget()
                self.carry_end(transport)

    def _due(self) -> float:
        return max(self.loop.time(), self.silent_until) + LATENCY_SECONDS

    def _later(self, sender: MemoryTransport, say: Callable[..., None], *args: Any) -> None:
        # Of two timers of one moment either may come first, and bytes keep their order.
        due = max(self._due(), self._arrives.get(sender, 0.0) + ORDER_SECONDS)
        self._arrives[sender] = due
        self.loop.call_at(due, say, *args, context=context_of(sender.peer.life))
