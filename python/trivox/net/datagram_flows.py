"""The UDP sockets of one endpoint, and which of them a peer is reached by."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from trivox.net.route import is_ipv6, is_wildcard
from trivox.net.wildcard import WildcardReceiver, WildcardSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import SipCore
    from trivox.net.flows import FlowTable
    from trivox.net.transport import Address, DatagramSocket, SocketFactory
    from trivox.net.udp import UdpFlow


@final
class DatagramFlows:
    """UDP flows, a flow for each of our addresses where a wildcard is bound.

    Args:
        table: Numbers the flows and runs their tasks.
        sockets: Where sockets come from.
        receive_buffer: Bytes of a socket's receive buffer.
    """

    def __init__(self, table: FlowTable, sockets: SocketFactory, receive_buffer: int) -> None:
        self._table = table
        self._sockets = sockets
        self._receive_buffer = receive_buffer
        self._flows: list[UdpFlow] = []

    @property
    def dropped(self) -> int:
        """Datagrams that a socket would not take."""
        return sum(flow.dropped for flow in self._flows)

    @property
    def overflows(self) -> int:
        """Datagrams that came while a socket's buffer was full."""
        return sum(flow.overflows for flow in self._flows)

    def bind(self, local: Address) -> UdpFlow:
        """Bind an address, or all of a family; return the flow of what was asked. Raises OSError."""
        if not is_wildcard(local[0]):
            return self._enter(self._sockets.bind_datagram(local, self._receive_buffer))
        rest, named = self._sockets.bind_everywhere(local, self._receive_buffer)
        flow = self._enter(rest)
        for socket in named:
            self._enter(socket)
        return flow

    def towards(self, peer: str, route: Callable[[str], str]) -> UdpFlow:
        """Return the flow to reach `peer` by; one is bound if there is none of its family."""
        fitting = [flow for flow in self._flows if is_ipv6(flow.local[0]) == is_ipv6(peer)]
        if len(fitting) == 1:
            return fitting[0]
        local = route(peer)
        for wanted in ((local,), ("0.0.0.0", "::")):
            for flow in fitting:
                if flow.local[0] in wanted:
                    return flow
        return fitting[0] if fitting else self.bind((local, 0))

    def send_ready(self, core: SipCore) -> int:
        """Send what waits for sockets of the system, and return how much that was."""
        sent = 0
        for flow in self._flows:
            descriptor = flow.descriptor()
            if descriptor is not None:
                messages, refused = core.send_ready(flow.id, descriptor)
                flow.dropped += refused
                sent += messages
        return sent

    def _enter(self, socket: DatagramSocket) -> UdpFlow:
        flow = self._table.enter_datagram(socket)
        self._flows.append(flow)
        owner = self._table.owner
        if isinstance(socket, WildcardSocket):
            receiver = WildcardReceiver(flow, socket, self._table.enter_datagram)
            self._table.start_task(receiver.run, owner.receive_datagrams, owner.sent_back)
        else:
            self._table.start_task(flow.run, owner.datagrams_wait)
        return flow
