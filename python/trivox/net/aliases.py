"""Connections that others opened and that serve requests back to them (RFC 5923 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.net.target import DEFAULT_PORTS, numeric_host

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.net.tcp import TcpFlow
    from trivox.net.transport import Address

    Key = tuple[Address, str]

_MOST_NAMES: Final = 16
"""Names of one certificate that its connection is found by."""
_TRANSPORT: Final = "tls"
"""The only one: what proves nothing could have anybody's requests sent to it (RFC 5923 §1)."""


@final
class Aliases:
    """Accepted connections, by where their far end listens and by each name it has proved.

    A connection is known by the address that it comes from, the port of its Via, and the names of a
    certificate that was verified. What a Via claims beyond that is not believed, so nobody draws
    requests to itself that are for another name or another address.
    """

    def __init__(self) -> None:
        self._flows: dict[Key, TcpFlow] = {}
        self._keys: dict[int, tuple[Key, ...]] = {}

    def __len__(self) -> int:
        """How many connections serve both ways."""
        return len(self._keys)

    def learn_untrusted(self, flow: TcpFlow, request: Message) -> None:
        """Take a request's word that the connection may be used backwards, if it has proved a name."""
        names = flow.wire.peer_names
        if not flow.accepted or flow.transport != _TRANSPORT or not names or flow.id in self._keys:
            return
        via = next(iter(request.values("Via")), "")
        port = _port_offered(via, request.key()[6], flow.remote[0], names)
        if port is None:
            return
        address = (flow.remote[0], port)
        keys = tuple((address, name) for name in names[:_MOST_NAMES])
        self._keys[flow.id] = keys
        for key in keys:
            self._flows[key] = flow

    def find(self, transport: str, remote: Address, host: str) -> TcpFlow | None:
        """Return the connection that `host` at `remote` has offered; None for none.

        Args:
            transport: Of the target.
            remote: What the host was resolved to.
            host: Whom the request is for: what the certificate must have said (RFC 5923 §8.1).
        """
        if transport != _TRANSPORT or not self._flows:
            return None
        name = numeric_host(host) or host.lower().rstrip(".")
        flow = self._flows.get((remote, name))
        if flow is None or flow.wire.is_closed or flow.wire.is_finishing:
            return None  # what is finishing reads no more: no answer would come
        return flow

    def forget(self, flow_id: int) -> None:
        """Forget a connection that is gone."""
        for key in self._keys.pop(flow_id, ()):
            if (known := self._flows.get(key)) is not None and known.id == flow_id:
                del self._flows[key]


def _port_offered(via: str, sent_by: str, source: str, names: tuple[str, ...]) -> int | None:
    """Return the port that a Via with `alias` says its sender listens at; None without a right to.

    Its host is where the connection comes from, or a name that the certificate proves.
    """
    parameters = (part.partition("=")[0].strip().lower() for part in via.split(";")[1:])
    if "alias" not in parameters:
        return None
    try:
        claimed = Uri.parse(f"sip:{sent_by}")
    except ParseError:
        return None
    numeric = numeric_host(claimed.host.strip("[]"))
    is_right = numeric == source if numeric else claimed.host.lower().rstrip(".") in names
    return (claimed.port or DEFAULT_PORTS[_TRANSPORT]) if is_right else None
