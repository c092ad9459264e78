"""Requests outside of calls, both ways: OPTIONS, MESSAGE, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from trivox._native import EVENT_RESPONSE, EVENT_TIMEOUT
from trivox.call.messages import SipResponse
from trivox.errors import ConnectionInterruptedError, ConnectionTimeoutError, TransportError
from trivox.sip.bodies import MULTIPART, SDP
from trivox.sip.dialog import MAX_FORWARDS
from trivox.sip.digest import Authorizer
from trivox.sip.outputs import SendRequest
from trivox.sip.party import permitted, unless_given

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import SipEvent
    from trivox.client.account import Account
    from trivox.client.wiring import Wiring
    from trivox.net.transport import Address
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.outputs import Headers

ACCEPTED: Final = f"{SDP}, {MULTIPART}"


@final
class OutsideRequest:
    """One request of ours without a dialog, from its first try to its final response."""

    def __init__(
        self,
        identity: LocalIdentity,
        method: str,
        uri: str,
        *,
        headers: Headers,
        body: bytes,
        new_id: Callable[[], str],
        send: Callable[[SendRequest], int],
        failure_of: Callable[[int], Exception | None],
    ) -> None:
        self._identity = identity
        self._method = method
        self._uri = uri
        self._headers = headers
        self._body = body
        self._call_id = new_id()
        self._tag = new_id()
        hop = identity.routes[0] if identity.routes else ""
        self._authorizer = Authorizer(identity.digest, new_id(), uri=uri, hop=hop, is_outside=True)
        self._send = send
        self._failure_of = failure_of
        self._cseq = 0
        self._response: SipResponse | None = None
        self._error: Exception | None = None
        self._parked = trio.lowlevel.ParkingLot()
        self._tx = 0

    def begin(self) -> None:
        """Send the request, with the credentials asked for so far."""
        identity = self._identity
        self._cseq += 1
        agent = (("User-Agent", identity.user_agent),) if identity.user_agent else ()
        headers: Headers = (
            *(("Route", route) for route in identity.routes),
            MAX_FORWARDS,
            ("From", f"{identity.address};tag={self._tag}"),
            ("To", f"<{self._uri}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} {self._method}"),
            ("Contact", identity.contact),
            *agent,
            *unless_given(identity.headers, self._headers),
            *permitted(self._headers, is_trusted=identity.is_trusted),
            *self._authorizer.headers(self._method, self._uri, self._body),
        )
        self._tx = self._send(
            SendRequest(self._method, self._uri, headers, self._body, identity.routes)
        )

    async def wait(self) -> SipResponse:
        """Wait for the final response. Raises ConnectionTimeoutError, TransportError."""
        while self._response is None and self._error is None:
            await self._parked.park()
        if self._error is not None:
            raise self._error
        assert self._response is not None, "either there is a response or an error"
        return self._response

    def abandon(self) -> None:
        """Fail: the client is closed, and no response will come."""
        self._error = ConnectionInterruptedError("the client was closed before a response came")
        self._parked.unpark_all()

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries this request's token."""
        kind, _, tx, _, status, message, flow, _ = event
        if tx != self._tx:
            return
        if kind == EVENT_RESPONSE and message is not None:
            if status < 200:
                return
            name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
            if self._authorizer.can_answer(status, message.headers(name)):
                self.begin()
                return
            self._response = SipResponse.from_message(message)
        elif kind == EVENT_TIMEOUT:
            self._error = ConnectionTimeoutError(f"no response to {self._method} {self._uri}")
        else:
            cause = self._failure_of(flow)
            text = f"{self._method} {self._uri} could not be sent"
            self._error = TransportError(f"{text}: {cause}" if cause else text)
            self._error.__cause__ = cause
        self._parked.unpark_all()


async def ask_outside(
    wiring: Wiring,
    method: str,
    target: str,
    headers: Headers,
    body: bytes,
    account: Account | None,
    *,
    named_by: tuple[int, Address] | None = None,
) -> SipResponse:
    """Send one request outside of calls and return its final response.

    Args:
        wiring: Of the client.
        method: Its method.
        target: Request-URI.
        headers: The program's.
        body: The body.
        account: As whom.
        named_by: Flow and source of the message that named the target; None: the program did.

    Raises:
        ConnectionTimeoutError: No response came (Timer F).
        TransportError: It could not be sent.
    """
    await trio.lowlevel.checkpoint()
    route = await wiring.routes.towards(target, account, named_by=named_by, method=method)
    token = wiring.exchange.new_token()
    request = OutsideRequest(
        route.identity,
        method,
        target,
        headers=headers,
        body=body,
        new_id=wiring.new_id,
        send=lambda output: wiring.exchange.send(token, route, output),
        failure_of=wiring.failure_of,
    )
    wiring.exchange.enter(token, request)
    try:
        request.begin()
        response = await request.wait()
    finally:
        wiring.exchange.release(token)
    if method == "OPTIONS" and response.is_success:
        known_as = account.uri if account is not None else ""
        wiring.trickle_memory.learn(known_as, target, response.headers)
    return response
