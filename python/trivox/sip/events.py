"""Facts: what the machines of this package tell their owner, beside what they ask it to do.

A fact is a value in the tuple an input or command returns, in its place among the outputs: what
stands before it is to be carried out before the fact is acted upon. Like an output it lives for one
step and is not frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trivox.sip.outputs import Forget, SendAck, SendCancel, SendRequest, SendResponse

if TYPE_CHECKING:
    from trivox._native import Message


@dataclass(slots=True)
class Progress:
    """A provisional response above 100 to our INVITE.

    `body` is a preview of the answer, not the answer (RFC 6337 §3.1.1), unless `is_reliable`;
    `to_tag` tells early dialogs apart and is empty when the response made none. With `is_offer`
    (our INVITE had no SDP) its PRACK waits for `InviteSession.acknowledge_progress`.
    """

    status: int
    reason: str
    message: Message
    body: bytes = field(repr=False)
    to_tag: str
    is_offer: bool = False
    is_reliable: bool = False


@dataclass(slots=True)
class ProgressAcknowledged:
    """The PRACK for a response of ours that held our offer; `body` is the answer."""

    message: Message
    body: bytes = field(repr=False)


@dataclass(slots=True)
class ProgressTimedOut:
    """64·T1 without PRACK for a reliable response of ours: 504 is sent (RFC 3262 §3)."""


@dataclass(slots=True)
class AcceptSent:
    """The 200 that waited for the PRACK of an earlier response is out."""


@dataclass(slots=True)
class Challenged:
    """A 401, 407 or 422 to our INVITE was met: the INVITE goes out again."""

    status: int
    message: Message


@dataclass(slots=True)
class Answered:
    """The first 2xx to our INVITE.

    With `is_offer` (our INVITE had no SDP) `body` is the far end's offer and the ACK waits for
    `InviteSession.acknowledge`; else the ACK is out already and `body` is the answer, empty when
    the far end put it into a provisional response only.
    """

    message: Message
    body: bytes = field(repr=False)
    to_tag: str
    is_offer: bool


@dataclass(slots=True)
class CrossedAnswer:
    """A 2xx met our CANCEL, or came to a call we had ended: it is acknowledged and hung up."""

    message: Message
    to_tag: str


@dataclass(slots=True)
class Rejected:
    """A final response of 300 or more ended our INVITE, and no retry is left."""

    status: int
    reason: str
    message: Message


@dataclass(slots=True)
class TimedOut:
    """Timer B: nobody answered our INVITE (RFC 3261 §8.1.3.1: as a 408)."""


@dataclass(slots=True)
class TransportFailed:
    """The flow of our INVITE is gone (RFC 3261 §8.1.3.1: as a 503)."""


@dataclass(slots=True)
class Acknowledged:
    """The ACK for our 2xx to the INVITE or re-INVITE `tx`.

    `body` is the answer if the 2xx carried our offer, else empty as a rule.
    """

    tx: int
    message: Message | None
    body: bytes = field(repr=False)


@dataclass(slots=True)
class AcknowledgementTimedOut:
    """64·T1 without ACK for our 2xx: the call is hung up (RFC 3261 §13.3.1.4)."""


@dataclass(slots=True)
class RemoteCancelled:
    """The far end took its INVITE back; 487 is sent. `message` is the CANCEL (see Reason)."""

    message: Message | None


@dataclass(slots=True)
class RemoteEnded:
    """The far end's BYE, answered with 200. The session is over unless our own BYE is out."""

    message: Message | None


@dataclass(slots=True)
class LocalEnded:
    """Our own end is complete: rejection sent, CANCEL effective, or BYE answered or given up.

    `status` is the final response that completed it, ours or theirs; 0 when none came.
    """

    status: int
    message: Message | None


@dataclass(slots=True)
class DialogLost:
    """481, 408 or no answer to a request inside the dialog (RFC 5057 §5.1): it is hung up."""

    status: int
    message: Message | None


@dataclass(slots=True)
class ReinviteReceived:
    """A re-INVITE the owner must answer by `InviteSession.respond(tx, …)`.

    An empty `body` asks for our offer in the 2xx; the answer then comes with `Acknowledged`.
    """

    tx: int
    message: Message
    body: bytes = field(repr=False)


@dataclass(slots=True)
class ReinviteCancelled:
    """The re-INVITE `tx` was cancelled and answered 487; the session stays as it was."""

    tx: int


@dataclass(slots=True)
class UpdateReceived:
    """An UPDATE the owner must answer at once by `InviteSession.respond(tx, …)` (RFC 3311 §5.2).

    An empty `body` changes nothing of the session: 200 without body.
    """

    tx: int
    message: Message
    body: bytes = field(repr=False)


@dataclass(slots=True)
class RefreshDue:
    """The session timer wants a re-INVITE: call `modify` with an offer that changes nothing.

    Told only when the far end takes no UPDATE; that refresh needs nobody (RFC 4028 §7.4).
    """


@dataclass(slots=True)
class SessionExpired:
    """Nobody has refreshed the session in time: it is hung up (RFC 4028 §10)."""


@dataclass(slots=True)
class ModificationAnswered:
    """The 2xx to our re-INVITE or UPDATE; `body` is the answer to what we offered.

    With `is_offer` (our re-INVITE had no SDP) `body` is the far end's offer and the ACK waits for
    `InviteSession.acknowledge_modification`; else the ACK is out already.
    """

    message: Message
    body: bytes = field(repr=False)
    is_offer: bool


@dataclass(slots=True)
class ModificationRefused:
    """Our re-INVITE or UPDATE failed: the session stays as it was (RFC 3261 §14.1).

    Without message: no answer came (status 408) or the flow is gone (status 503). After 408 and
    481 `DialogLost` follows.
    """

    status: int
    reason: str
    message: Message | None


@dataclass(slots=True)
class ModificationDeferred:
    """Our change has to wait: it did not go out (status 0) or theirs crossed it (491, 500).

    The offer in it never was. `ModificationDue` follows when the way is free.
    """

    status: int


@dataclass(slots=True)
class ModificationDue:
    """What was deferred may go out: call `InviteSession.modify` with an offer made now."""


@dataclass(slots=True)
class RequestReceived:
    """Any other request in the dialog, to be answered by `InviteSession.respond(tx, …)`."""

    method: str
    tx: int
    message: Message


@dataclass(slots=True)
class ResponseReceived:
    """A response to a request sent by `InviteSession.request`.

    `tx` is the transaction first reported for that request, also after a retry with credentials.
    Without message: Timer F (status 408) or a lost flow (status 503).
    """

    tx: int
    method: str
    status: int
    message: Message | None


SessionFact = (
    Progress
    | ProgressAcknowledged
    | ProgressTimedOut
    | AcceptSent
    | Challenged
    | Answered
    | CrossedAnswer
    | Rejected
    | TimedOut
    | TransportFailed
    | Acknowledged
    | AcknowledgementTimedOut
    | RemoteCancelled
    | RemoteEnded
    | LocalEnded
    | DialogLost
    | ReinviteReceived
    | ReinviteCancelled
    | UpdateReceived
    | RefreshDue
    | SessionExpired
    | ModificationAnswered
    | ModificationRefused
    | ModificationDeferred
    | ModificationDue
    | RequestReceived
    | ResponseReceived
)

SessionOutput = SendRequest | SendAck | SendCancel | SendResponse | Forget | SessionFact
"""What `InviteSession` returns: things to do and facts, in order."""
