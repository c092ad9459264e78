"""What an INVITE session holds, and the messages built from it; the decisions are elsewhere."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from trivox.sip.bodies import is_description
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.dialog import MAX_FORWARDS, Dialog, content
from trivox.sip.digest import Authorizer
from trivox.sip.offer_answer import OfferAnswer, OfferEvent, OfferMeaning
from trivox.sip.outputs import Forget, Remember, SendRequest, SendResponse
from trivox.sip.party import permitted, unless_given
from trivox.sip.reliable import Reliability, invite_headers

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.digest import DigestClient
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.invite_table import InviteState
    from trivox.sip.modification import Modification
    from trivox.sip.outputs import Headers, SendAck
    from trivox.sip.reliable import EarlyExchange, ReliableSender
    from trivox.sip.session_timer import SessionTimer

MAX_FORKS: Final = 64
"""Early dialogs kept per INVITE; further branches are heard but not remembered."""


class Purpose(StrEnum):
    """Why a client transaction of the session runs."""

    INVITE = "invite"
    BYE = "bye"
    OTHER_BYE = "other_bye"
    """Ends the dialog of a branch that lost."""
    MODIFICATION = "modification"
    """A re-INVITE or UPDATE of ours."""
    PRACK = "prack"
    REFRESH = "refresh"
    """An UPDATE that keeps the session alive and changes nothing."""
    REQUEST = "request"


@final
@dataclass(slots=True, repr=False)
class ClientRequest:
    """One request of ours until its final response; a retry with credentials continues it."""

    purpose: Purpose
    method: str
    uri: str
    authorizer: Authorizer
    dialog: Dialog | None = None
    headers: Headers = ()
    body: bytes = b""
    content_type: str = ""
    first_tx: int = 0
    tx: int = 0
    """The transaction of the last try."""
    cseq: int = 0
    authorization: Headers = ()
    """The credentials of the last try."""


@final
@dataclass(slots=True, repr=False)
class Given:
    """What came with an event: the arguments of a command, or the parts of an input."""

    tx: int = 0
    status: int = 0
    reason: str = ""
    message: Message | None = None
    headers: Headers = ()
    body: bytes = b""
    content_type: str = ""
    request: ClientRequest | None = None
    meaning: OfferMeaning = OfferMeaning.NOTHING
    method: str = "INVITE"
    tag: str = ""
    party: str = ""
    """As whom a change speaks from then on; empty: as before."""
    is_reliable: bool = False


@final
@dataclass(slots=True, repr=False)
class InviteLeg:
    """The mutable parts of one session."""

    call_id: str
    local_tag: str
    contact: str
    cnonce: str
    digest: DigestClient | None
    state: InviteState
    timer: SessionTimer
    identity: LocalIdentity | None = None
    target: str = ""
    extra_headers: Headers = ()
    to: str = ""
    """The first target of a call that was sent on; empty for the present one."""
    tx: int = 0
    invite_cseq: int = 0
    dialog: Dialog | None = None
    early: dict[str, Dialog] = field(init=False, default_factory=dict)
    others: dict[str, Dialog] = field(init=False, default_factory=dict)
    """Dialogs of branches that answered after the first, by To tag."""
    offer_answer: OfferAnswer = field(init=False, default_factory=OfferAnswer)
    invite: ClientRequest | None = None
    ack_authorization: Headers = ()
    end_headers: Headers = ()
    unsent: list[ClientRequest] = field(init=False, default_factory=list)
    pending: dict[int, ClientRequest] = field(init=False, default_factory=dict)
    reinvites: dict[int, bool] = field(init=False, default_factory=dict)
    """re-INVITEs of theirs by transaction: whether the final response is out."""
    updates: dict[int, OfferAnswer | None] = field(init=False, default_factory=dict)
    """UPDATEs of theirs that we have not answered, by transaction: where their offer stands."""
    requests: dict[int, Message] = field(init=False, default_factory=dict)
    """INVITEs and UPDATEs of theirs until our final response."""
    now: float = 0.0
    """When the last input came."""
    reliability: Reliability = Reliability.SUPPORTED
    sender: ReliableSender | None = None
    """Our reliable responses; made with the first."""
    exchanges: dict[str, EarlyExchange] = field(init=False, default_factory=dict)
    """What reliable responses of theirs have agreed, by To tag."""
    remote_invite_cseq: int = 0
    remote_allow: str = ""
    """Methods the far end takes, as it told last."""
    remote_supported: list[str] = field(init=False, default_factory=list)
    """Its Supported headers, as it told last."""
    modification: Modification | None = None
    """Our changes to the session; made with the first."""
    lost: tuple[float, Given] | None = None
    """When the dialog counts as lost for want of a BYE, and the 481 that said it is gone."""

    def use(self, identity: LocalIdentity) -> None:
        """Speak as that identity from now on."""
        self.identity, self.contact, self.digest = identity, identity.contact, identity.digest

    def new_request(self, purpose: Purpose, method: str, dialog: Dialog | None) -> ClientRequest:
        """Return a request that is not sent yet."""
        uri = self.target if dialog is None else dialog.remote_target
        routes = self.identity.routes if self.identity is not None else ()
        if dialog is not None:
            routes = dialog.route_set
        authorizer = Authorizer(
            self.digest,
            self.cnonce,
            uri=uri,
            hop=routes[0] if routes else "",
            is_outside=dialog is None,
        )
        return ClientRequest(purpose, method, uri, authorizer, dialog)

    def permitted(self, headers: Headers) -> Headers:
        """Return a program's headers without those the far end is not trusted with (RFC 3325)."""
        if not headers:
            return headers
        is_trusted = self.identity is not None and self.identity.is_trusted
        return permitted(headers, is_trusted=is_trusted)

    def send(self, request: ClientRequest) -> SendRequest:
        """Return the next try of `request`, with credentials if it was challenged."""
        self.unsent.append(request)
        if request.dialog is None:
            return self._send_invite(request)
        # The digest's uri is the Request-URI, which a strict router replaces (RFC 3261 §22.4).
        authorization = request.authorizer.headers(request.method, request.uri, request.body)
        request.authorization = authorization
        output = request.dialog.request(
            request.method,
            headers=self.permitted(request.headers) + authorization,
            body=request.body,
            content_type=request.content_type,
        )
        request.cseq = request.dialog.local_cseq
        return output

    def modify(self, given: Given) -> SendRequest:
        """Return our re-INVITE or UPDATE."""
        dialog = self.dialog or self.early[given.tag]
        request = self.new_request(Purpose.MODIFICATION, given.method, dialog)
        request.headers = (ALLOW, SUPPORTED, *self.timer.refresh(), *given.headers)
        request.body, request.content_type = given.body, given.content_type
        return self.send(request)

    def prack(
        self, tag: str, serial: int, body: bytes = b"", content_type: str = ""
    ) -> SendRequest:
        """Return the PRACK of a response of that early dialog (RFC 3262 §4)."""
        request = self.new_request(Purpose.PRACK, "PRACK", self.early[tag])
        request.headers = (("RAck", f"{serial} {self.invite_cseq} INVITE"),)
        request.body, request.content_type = body, content_type
        return self.send(request)

    def exchange_of(self, tag: str) -> OfferAnswer:
        """Return where offer and answer stand in the dialog with that remote tag."""
        early = self.exchanges.get(tag) if self.dialog is None else None
        return self.offer_answer if early is None else early.offer_answer

    def acknowledge_modification(self, request: ClientRequest, given: Given) -> SendAck:
        """Return the ACK of a 2xx to our re-INVITE."""
        return self.dialog_now.acknowledge(
            request.tx,
            request.cseq,
            headers=request.authorization,
            body=given.body,
            content_type=given.content_type,
        )

    def _send_invite(self, request: ClientRequest) -> SendRequest:
        identity = self.identity
        assert identity is not None, "only a session of ours sends the INVITE"
        self.invite_cseq += 1
        self.early.clear()
        self.exchanges.clear()
        self.invite = request
        self.ack_authorization = request.authorizer.headers("INVITE", self.target, request.body)
        agent = (("User-Agent", identity.user_agent),) if identity.user_agent else ()
        headers: Headers = (
            *(("Route", route) for route in identity.routes),
            MAX_FORWARDS,
            ("From", f"{identity.address};tag={self.local_tag}"),
            ("To", f"<{self.to or self.target}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.invite_cseq} INVITE"),
            ("Contact", self.contact),
            ALLOW,
            *identity.allow_events,
            *invite_headers(self.reliability),
            *self.timer.offer(),
            *agent,
            *unless_given(identity.headers, self.extra_headers),
            *self.permitted(self.extra_headers),
            *self.ack_authorization,
            *content(request.body, request.content_type),
        )
        self.offer_answer.step(
            OfferEvent.SENT_INVITE_SDP
            if is_description(request.body, request.content_type)
            else OfferEvent.SENT_INVITE
        )
        return SendRequest("INVITE", self.target, headers, request.body, identity.routes)

    def acknowledge(
        self, dialog: Dialog, tx: int, body: bytes = b"", content_type: str = ""
    ) -> SendAck:
        """Return the ACK of a 2xx; it repeats the INVITE's credentials (RFC 3261 §22.1)."""
        return dialog.acknowledge(
            tx,
            self.invite_cseq,
            headers=self.ack_authorization,
            body=body,
            content_type=content_type,
        )

    def respond(
        self,
        tx: int,
        status: int,
        reason: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
        is_target_refresh: bool = False,
    ) -> SendResponse:
        """Return a response; to an INVITE it carries our Contact when it makes a dialog (§12.1.1)."""
        request = self.requests.pop(tx, None) if status >= 200 else None
        own: Headers = ()
        if is_target_refresh and 100 < status < 300:
            own = (("Contact", self.contact),)
            if status < 200 and self.sender is not None:
                own += (ALLOW,)  # whether we take UPDATE, before the dialog is confirmed
            if status >= 200:
                agreed = self.timer.accept(request, self.now) if request is not None else ()
                events = self.identity.allow_events if self.identity and tx == self.tx else ()
                own += (ALLOW, SUPPORTED, *events, *agreed)
            if self.identity is not None and self.identity.is_trusted:
                own += unless_given(self.identity.headers, headers)
        return SendResponse(
            tx,
            status,
            reason,
            own + self.permitted(headers) + content(body, content_type),
            body,
            self.local_tag,
        )

    def refresh(self) -> SendRequest:
        """Return the UPDATE that keeps the session alive (RFC 4028 §7.4)."""
        request = self.new_request(Purpose.REFRESH, "UPDATE", self.dialog_now)
        request.headers = (ALLOW, SUPPORTED, *self.timer.refresh())
        return self.send(request)

    def learn(self, message: Message) -> None:
        """Take what the far end says it can do; without a word it stays as it was."""
        self.remote_allow = message.header("Allow") or self.remote_allow
        self.remote_supported = message.headers("Supported") or self.remote_supported

    @property
    def can_update(self) -> bool:
        """Whether the far end takes UPDATE."""
        methods = self.remote_allow.split(",")
        return any(method.strip() == "UPDATE" for method in methods)

    def supports(self, tag: str) -> bool:
        """Whether the far end says that it supports an extension."""
        tags = (value for line in self.remote_supported for value in line.split(","))
        return any(value.strip().lower() == tag for value in tags)

    @property
    def dialog_now(self) -> Dialog:
        """The dialog that counts, where there must be one."""
        assert self.dialog is not None, "this state has a dialog"
        return self.dialog

    def glare_delay(self, cseq: int) -> float:
        """Return how long to wait after a 491, in steps of 10 ms (RFC 3261 §14.1).

        Who chose the Call-ID waits 2.1 to 4 s, the other 0 to 2 s; spread by call and try.
        """
        number = zlib.crc32(f"{self.local_tag}{cseq}".encode("utf-8", "surrogateescape"))
        return (210 + number % 191 if self.target else number % 201) / 100

    def retry_after(self, tx: int, cseq: int) -> SendResponse:
        """Return 500 with a Retry-After between 0 and 10 s, spread by call (RFC 3261 §14.2)."""
        delay = zlib.crc32(f"{self.local_tag}{cseq}".encode("utf-8", "surrogateescape")) % 11
        return self.respond(
            tx, 500, "Server Internal Error", headers=(("Retry-After", str(delay)),)
        )

    def dialog_of(self, response: Message, to_tag: str) -> Dialog:
        """Return the early dialog of that tag, or a new one from the response."""
        held = self.early.get(to_tag)
        if held is not None:
            return held
        return Dialog.from_response(response, request_uri=self.target, contact=self.contact)

    def find(self, remote_tag: str) -> Dialog | None:
        """Return the dialog a request of that From tag belongs to, if it is still ours."""
        if self.dialog is not None:
            return self.dialog if self.dialog.remote_tag == remote_tag else None
        return self.early.get(remote_tag)

    def has_answered(self, to_tag: str) -> bool:
        """Whether a 2xx of that branch was acknowledged before."""
        is_winner = self.dialog is not None and self.dialog.remote_tag == to_tag
        return is_winner or to_tag in self.others

    def answer_update(self, tx: int, status: int, body: bytes) -> None:
        """Note our final response to an UPDATE; its offer is answered or never was."""
        exchange = self.updates.pop(tx)
        if exchange is None:
            return
        is_answer = status < 300 and body
        exchange.step(OfferEvent.SENT_2XX_SDP if is_answer else OfferEvent.INVITE_FAILED)

    def answer_reinvite(self, tx: int, status: int, body: bytes) -> None:
        """Note our final response to a re-INVITE: a 2xx awaits its ACK."""
        if status >= 300:
            del self.reinvites[tx]
            self.offer_answer.step(OfferEvent.INVITE_FAILED)
        else:
            self.reinvites[tx] = True
            self.offer_answer.step(OfferEvent.SENT_2XX_SDP if body else OfferEvent.SENT_2XX)

    def forget_others(self) -> tuple[Forget, ...]:
        """Return what makes the core drop the branches that lost."""
        return tuple(forget(dialog) for dialog in self.others.values())

    def forget(self) -> tuple[Forget, ...]:
        """Return what makes the core drop every dialog but those still being ended."""
        if not self.early:
            return () if self.dialog is None else (forget(self.dialog),)
        dialogs = {dialog.remote_tag: dialog for dialog in self.early.values()}
        if self.dialog is not None:
            dialogs[self.dialog.remote_tag] = self.dialog
        return tuple(forget(dialog) for tag, dialog in dialogs.items() if tag not in self.others)


def forget(dialog: Dialog) -> Forget:
    """Return what makes the core drop one dialog."""
    return Forget(dialog.call_id, dialog.local_tag, dialog.remote_tag)


def remember(dialog: Dialog) -> Remember:
    """Return what makes the core know one dialog."""
    return Remember(dialog.call_id, dialog.local_tag, dialog.remote_tag)
