"""A dialog: what two user agents remember of each other to speak again (RFC 3261 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, final

from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.header_values import as_request_uri
from trivox.sip.outputs import SendAck, SendRequest

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.outputs import Headers

MAX_FORWARDS: Final = ("Max-Forwards", "70")

# Requests that tell the far end where to reach us from now on (RFC 3261 §12.2.1.1, RFC 3311 §5,
# RFC 6665 §4.4.1).
_REFRESHES_TARGET: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})

# Requests whose From may name another party than before (RFC 4916 §4.4.2).
_CHANGES_PARTY: Final = frozenset({"INVITE", "UPDATE"})


@final
class Dialog:
    """Keep one dialog and build the requests inside it; the same class for both roles.

    Made from the INVITE as callee, from a response as caller. It holds no timers and asks for
    nothing: there is nothing to drain.
    """

    __slots__ = (
        "_contact",
        "_remote_cseq",
        "call_id",
        "is_new_party",
        "local_cseq",
        "local_party",
        "local_tag",
        "remote_party",
        "remote_tag",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        call_id: str,
        local: tuple[str, str],
        remote: tuple[str, str],
        remote_target: str,
        route_set: tuple[str, ...],
        local_cseq: int,
        remote_cseq: int,
        contact: str,
    ) -> None:
        """Take the parts of RFC 3261 §12.

        Args:
            call_id: Call-ID.
            local: Our tag, and who we are: the From of our requests, with its tag.
            remote: Their tag, and who they are: the To of our requests.
            remote_target: Where requests go: the URI of their Contact.
            route_set: Route values, nearest hop first.
            local_cseq: Number of our last request.
            remote_cseq: Number of their last request; -1 before the first.
            contact: Our Contact value.
        """
        self.call_id = call_id
        self.is_new_party = False
        """Whether the last INVITE or UPDATE named another party in From than the one before."""
        self.local_tag, self.local_party = local
        self.remote_tag, self.remote_party = remote
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self._remote_cseq = remote_cseq
        self._contact = contact

    @classmethod
    def from_request(cls, request: Message, *, local_tag: str, contact: str) -> Self:
        """Return the callee's dialog (RFC 3261 §12.1.1).

        Args:
            request: The INVITE.
            local_tag: The To tag of our responses.
            contact: Our Contact value.
        """
        call_id, from_tag, to_tag, from_value, to_value, target, records, cseq = request.dialog()
        local = to_value if to_tag else f"{to_value};tag={local_tag}"
        ours, theirs = (to_tag or local_tag, local), (from_tag, from_value)
        target = target or _uri_untrusted(from_value)
        # One by one: keywords would be put into a dict first, for each call that comes.
        return cls(call_id, ours, theirs, target, records, 0, cseq, contact)

    @classmethod
    def from_response(cls, response: Message, *, request_uri: str, contact: str) -> Self:
        """Return the caller's dialog, early or confirmed (RFC 3261 §12.1.2).

        Args:
            response: A 1xx or 2xx with To tag to our INVITE.
            request_uri: Of the INVITE; the target as long as no Contact is known.
            contact: Our Contact value.
        """
        call_id, from_tag, to_tag, from_value, to_value, target, records, cseq = response.dialog()
        return cls(
            call_id=call_id,
            local=(from_tag, from_value),
            remote=(to_tag, to_value),
            remote_target=target or request_uri,
            route_set=records[::-1],
            local_cseq=cseq,
            remote_cseq=-1,
            contact=contact,
        )

    @property
    def remote_cseq(self) -> int:
        """Number of their last request; -1 before the first."""
        return self._remote_cseq

    def speak_as(self, party: str) -> None:
        """Name another party in the From of our requests from now on (RFC 4916 §4.4.1)."""
        self.local_party = party if ";tag=" in party else f"{party};tag={self.local_tag}"

    def confirm(self, response: Message) -> None:
        """Take route set and target anew from the 2xx (RFC 3261 §13.2.2.4)."""
        *_, target, records, _ = response.dialog()
        self.remote_target = target or self.remote_target
        self.route_set = records[::-1]

    def refresh(self, response: Message) -> None:
        """Take the new target from the 2xx to a re-INVITE or UPDATE (RFC 3261 §12.2.1.2)."""
        *_, target, _, _ = response.dialog()
        self.remote_target = target or self.remote_target

    def receive(self, request: Message) -> bool:
        """Check the order of a request and take its new target (RFC 3261 §12.2.2).

        Returns:
            False for a CSeq lower than one seen before: answer 500 and forget the request.
        """
        cseq = request.cseq
        if cseq < self._remote_cseq:
            return False
        self._remote_cseq = cseq
        if request.method in _REFRESHES_TARGET:
            self.remote_target = request.contact_uri or self.remote_target
            if request.method in _CHANGES_PARTY:
                value = request.header("From") or self.remote_party
                self.is_new_party = value != self.remote_party
                self.remote_party = value
        return True

    def request(
        self,
        method: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> SendRequest:
        """Return the next request in the dialog, with a CSeq of its own (RFC 3261 §12.2.1.1)."""
        self.local_cseq += 1
        uri, routes = self._routing()
        common = self._headers(method, self.local_cseq, routes)
        if method in _REFRESHES_TARGET:
            common += (("Contact", self._contact),)
        every = common + headers + content(body, content_type)
        return SendRequest(method, uri, every, body, self.route_set, self.remote_tag)

    def acknowledge(
        self,
        tx: int,
        cseq: int,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> SendAck:
        """Return the ACK for the 2xx to the INVITE of that CSeq (RFC 3261 §13.2.2.4)."""
        uri, routes = self._routing()
        common = self._headers("ACK", cseq, routes)
        return SendAck(
            tx,
            self.remote_tag,
            uri,
            common + headers + content(body, content_type),
            body,
            self.route_set,
        )

    def _headers(self, method: str, cseq: int, routes: tuple[str, ...]) -> Headers:
        return (
            *(("Route", route) for route in routes),
            MAX_FORWARDS,
            ("From", self.local_party),
            ("To", self.remote_party),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        )

    def _routing(self) -> tuple[str, tuple[str, ...]]:
        """Return Request-URI and Route values; a first hop without ;lr is a strict router."""
        if not self.route_set:
            return self.remote_target, ()
        first = _uri_untrusted(self.route_set[0])
        if _is_loose_untrusted(first):
            return self.remote_target, self.route_set
        # What a Request-URI cannot hold is taken off (RFC 3261 §12.2.1.1, §19.1.1).
        return as_request_uri(first), (*self.route_set[1:], f"<{self.remote_target}>")


def _uri_untrusted(value: str) -> str:
    """Return the URI of a name-addr, or what was sent when it is none."""
    try:
        return NameAddr.parse(value).uri
    except ParseError:
        return value


def _is_loose_untrusted(uri: str) -> bool:
    """Whether a hop routes by Route (;lr); one we cannot read is taken for one that does."""
    try:
        return "lr" in Uri.parse(uri).parameters
    except ParseError:
        return True


def content(body: bytes, content_type: str) -> Headers:
    """Return the Content-Type header a body needs; none without body."""
    return (("Content-Type", content_type),) if body else ()
