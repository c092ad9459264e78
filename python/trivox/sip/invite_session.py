"""One call's signalling, either role: INVITE to BYE as a table (RFC 3261 §13 to §15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

from trivox import _native
from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.bodies import SDP, description_of
from trivox.sip.dialog import Dialog
from trivox.sip.digest import CHALLENGE_HEADER
from trivox.sip.invite_actions import ACTIONS, end_of_other
from trivox.sip.invite_leg import (
    ClientRequest,
    Given,
    InviteLeg,
    Purpose,
)
from trivox.sip.invite_table import INVITE_TABLE, InviteEvent, InviteState
from trivox.sip.offer_answer import OfferEvent, OfferMeaning, OfferState

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.events import SessionOutput
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.outputs import Headers, SendRequest, SendResponse

Outputs = tuple["SessionOutput", ...]

_RETRYABLE = frozenset({InviteState.CALLING, InviteState.PROCEEDING})


@final
class InviteSession:
    """Decide what one call says, and tell its owner what it hears. Sans-I/O.

    Every command and every input returns outputs: carry them out in order before the next one.
    For each `SendRequest` among them start a transaction and report it with `sent` at once.
    The session has no timers of its own: the core's reach it as events. A command that comes too
    late or belongs to the other role has no effect and returns nothing.
    """

    __slots__ = ("_leg", "_state")

    def __init__(self, leg: InviteLeg, state: InviteState) -> None:
        self._leg = leg
        self._state = state

    @classmethod
    def outgoing(
        cls,
        identity: LocalIdentity,
        target: str,
        *,
        call_id: str,
        local_tag: str,
        cnonce: str,
        extra_headers: Headers = (),
    ) -> Self:
        """Return a session that can `invite`.

        Args:
            identity: As whom we call; its Contact and routes are those of this call's flow.
            target: Request-URI, and To.
            call_id: A fresh Call-ID.
            local_tag: A fresh From tag.
            cnonce: A fresh token nobody has seen, for digest answers.
            extra_headers: Go into every try of the INVITE.
        """
        leg = InviteLeg(
            call_id=call_id,
            local_tag=local_tag,
            contact=identity.contact,
            cnonce=cnonce,
            digest=identity.digest,
            identity=identity,
            target=target,
            extra_headers=extra_headers,
        )
        return cls(leg, InviteState.IDLE)

    @classmethod
    def incoming(
        cls,
        request: Message,
        tx: int,
        *,
        local_tag: str,
        contact: str,
        identity: LocalIdentity | None = None,
        cnonce: str = "",
    ) -> Self:
        """Return the session of an INVITE that came, not answered yet.

        Args:
            request: The INVITE, valid and without To tag.
            tx: Its server transaction.
            local_tag: A fresh tag for To.
            contact: Our Contact value.
            identity: Whose credentials may answer a challenge to our BYE; None: nobody's.
            cnonce: As for `outgoing`.
        """
        dialog = Dialog.from_request(request, local_tag=local_tag, contact=contact)
        leg = InviteLeg(
            call_id=dialog.call_id,
            local_tag=local_tag,
            contact=contact,
            cnonce=cnonce,
            digest=identity.digest if identity is not None else None,
            identity=identity,
            tx=tx,
            dialog=dialog,
        )
        leg.offer_answer.step(
            OfferEvent.RECEIVED_INVITE_SDP
            if description_of(request)
            else OfferEvent.RECEIVED_INVITE
        )
        return cls(leg, InviteState.INCOMING)

    @property
    def state(self) -> InviteState:
        """Where the session stands."""
        return self._state

    @property
    def call_id(self) -> str:
        """The Call-ID header's value."""
        return self._leg.call_id

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that counts: the callee's from the start, the caller's from the 2xx on."""
        return self._leg.dialog

    @property
    def tx(self) -> int:
        """The INVITE's transaction, client or server; 0 before it is sent."""
        return self._leg.tx

    @property
    def is_confirmed(self) -> bool:
        """Whether the 2xx is acknowledged and nobody has ended the session."""
        return self._state is InviteState.CONFIRMED

    @property
    def is_over(self) -> bool:
        """Whether the session has ended; a late 2xx of another branch is still handled."""
        return self._state is InviteState.TERMINATED

    @property
    def offer_state(self) -> OfferState:
        """Who owes an offer or answer."""
        return self._leg.offer_answer.state

    def invite(self, body: bytes = b"", content_type: str = SDP) -> Outputs:
        """Send the INVITE; without body the far end makes the offer (RFC 3261 §13.2.1)."""
        return self._step(InviteEvent.INVITE, Given(body=body, content_type=content_type))

    def acknowledge(self, body: bytes, content_type: str = SDP) -> Outputs:
        """Answer the offer of a 2xx: the ACK carries it (see `Answered.is_offer`)."""
        return self._step(InviteEvent.ACKNOWLEDGE, Given(body=body, content_type=content_type))

    def sent(self, tx: int) -> None:
        """Take the transaction of the oldest `SendRequest` not reported yet."""
        leg = self._leg
        request = leg.unsent.popleft()
        leg.pending[tx] = request
        request.first_tx = request.first_tx or tx
        if request.purpose is Purpose.INVITE:
            leg.tx = tx

    def provisional(
        self,
        status: int,
        reason: str,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> Outputs:
        """Send a provisional response to their INVITE; a body previews our answer."""
        given = Given(0, status, reason, None, headers, body, content_type)
        return self._step(InviteEvent.PROVISIONAL, given)

    def accept(self, headers: Headers = (), body: bytes = b"", content_type: str = SDP) -> Outputs:
        """Answer their INVITE with 200; `body` is our answer, or our offer if theirs had none."""
        given = Given(0, 200, "OK", None, headers, body, content_type)
        return self._step(InviteEvent.ACCEPT, given)

    def reject(self, status: int, reason: str, headers: Headers = ()) -> Outputs:
        """Answer their INVITE with a final response of 300 or more."""
        given = Given(0, status, reason, None, headers)
        return self._step(InviteEvent.REJECT, given)

    def end(self, headers: Headers = (), *, status: int = 603, reason: str = "Decline") -> Outputs:
        """End the session: rejection, CANCEL or BYE, now or as soon as it is allowed.

        `LocalEnded` follows when it is complete. Calling again has no effect.

        Args:
            headers: For the message that ends it, for instance Reason (RFC 3326).
            status: Of the rejection, if their INVITE is not answered yet.
            reason: Phrase of that rejection.
        """
        self._leg.end_headers = self._leg.end_headers or headers
        given = Given(headers=headers)
        if self._state is InviteState.INCOMING:
            given.status, given.reason = status, reason
        return self._step(InviteEvent.END, given)

    def request(
        self, method: str, headers: Headers = (), body: bytes = b"", content_type: str = ""
    ) -> SendRequest:
        """Return another request in the dialog (INFO, MESSAGE, OPTIONS); not INVITE, ACK, BYE.

        `ResponseReceived` follows. A challenge is answered inside.

        Raises:
            CallWrongStateError: There is no dialog, or it has ended.
        """
        leg = self._leg
        ended = (InviteState.ENDING, InviteState.TERMINATED)
        if leg.dialog is None or self._state in ended:
            raise CallWrongStateError(
                f"{method} needs a dialog", state=self._state, allowed=(InviteState.CONFIRMED,)
            )
        request = leg.new_request(Purpose.REQUEST, method, leg.dialog)
        request.headers, request.body, request.content_type = headers, body, content_type
        return leg.send(request)

    def respond(
        self,
        tx: int,
        status: int,
        reason: str,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> SendResponse:
        """Return the answer to a re-INVITE or another request that was reported with `tx`."""
        leg = self._leg
        is_reinvite = tx in leg.reinvites
        if is_reinvite and status >= 200:
            leg.answer_reinvite(tx, status, body)
        return leg.respond(
            tx,
            status,
            reason,
            headers=headers,
            body=body,
            content_type=content_type,
            is_invite=is_reinvite,
        )

    def forget_branches(self) -> Outputs:
        """Drop the branches that lost and whose BYE has no answer yet: nobody waits for it."""
        return self._leg.forget_others()

    def handle(self, event: SipEvent, now: float) -> Outputs:
        """Take an event of the core that carries this call's token.

        Args:
            event: As the core gave it.
            now: Seconds on the monotonic clock.
        """
        kind, _, tx, _, status, message, _, _ = event
        match kind:
            case _native.EVENT_RESPONSE if message is not None:
                return self._response(tx, status, message)
            case _native.EVENT_REQUEST if message is not None:
                return self._request(tx, message)
            case _native.EVENT_TIMEOUT | _native.EVENT_TRANSPORT_ERROR:
                return self._failure(tx, is_timeout=kind == _native.EVENT_TIMEOUT)
            case _native.EVENT_ACK:
                return self._acknowledged(tx, message)
            case _native.EVENT_ACK_TIMEOUT if tx == self._leg.tx or tx in self._leg.reinvites:
                return self._step(InviteEvent.ACK_TIMED_OUT, Given(tx))
            case _native.EVENT_CANCEL:
                return self._cancelled(tx, message)
            case _:
                return ()

    def _response(self, tx: int, status: int, message: Message) -> Outputs:
        request = self._leg.pending.get(tx)
        if request is None:
            return ()
        given = Given(tx, status, message=message, request=request)
        if request.purpose is Purpose.INVITE:
            if status // 100 == 2 and self._leg.has_answered(message.key()[4]):
                return ()
            return self._step(self._classify(given, message, request), given)
        if status < 200:
            return ()
        del self._leg.pending[tx]
        if self._can_retry(given, message, request):
            if request.purpose is Purpose.BYE:
                return self._step(InviteEvent.BYE_CHALLENGED, given)
            return (self._leg.send(request),)
        return self._finished(given, request)

    def _classify(self, given: Given, message: Message, request: ClientRequest) -> InviteEvent:
        """Return what a response to our INVITE is to the table."""
        leg = self._leg
        if given.status < 200:
            return InviteEvent.RECEIVED_1XX
        if given.status >= 300:
            if self._state in _RETRYABLE and self._can_retry(given, message, request):
                return InviteEvent.RECEIVED_CHALLENGE
            leg.offer_answer.step(OfferEvent.INVITE_FAILED)
            return InviteEvent.RECEIVED_FAILURE
        if leg.dialog is not None:
            return InviteEvent.RECEIVED_OTHER_2XX
        given.meaning = leg.offer_answer.step(
            OfferEvent.RECEIVED_2XX_SDP if description_of(message) else OfferEvent.RECEIVED_2XX
        )
        if given.meaning is OfferMeaning.OFFER:
            return InviteEvent.RECEIVED_OFFER
        return InviteEvent.RECEIVED_2XX

    def _can_retry(self, given: Given, message: Message, request: ClientRequest) -> bool:
        name = CHALLENGE_HEADER.get(given.status)
        if name is None:
            return False
        return request.authorizer.can_answer(given.status, message.headers(name))

    def _finished(self, given: Given, request: ClientRequest) -> Outputs:
        """Take the end of a transaction other than the INVITE's."""
        if request.purpose is Purpose.BYE:
            given.status = given.status if given.message is not None else 0
            return self._step(InviteEvent.BYE_FINISHED, given)
        if request.purpose is Purpose.OTHER_BYE:
            return end_of_other(self._leg, given)
        status = given.status or 503
        told = events.ResponseReceived(request.first_tx, request.method, status, given.message)
        if status not in (408, 481):
            return (told,)
        return (told, *self._step(InviteEvent.DIALOG_LOST, given))

    def _failure(self, tx: int, *, is_timeout: bool) -> Outputs:
        request = self._leg.pending.pop(tx, None)
        if request is None:
            return ()
        given = Given(tx, 408 if is_timeout else 0, request=request)
        if request.purpose is not Purpose.INVITE:
            return self._finished(given, request)
        self._leg.offer_answer.step(OfferEvent.INVITE_FAILED)
        given.status = 0
        silent, gone = InviteEvent.INVITE_TIMED_OUT, InviteEvent.INVITE_TRANSPORT_ERROR
        return self._step(silent if is_timeout else gone, given)

    def _request(self, tx: int, message: Message) -> Outputs:
        leg = self._leg
        given = Given(tx, message=message)
        tag = message.key()[3]
        dialog = leg.find(tag)
        if dialog is None:
            if tag in leg.others and message.method == "BYE":
                # A branch that lost may end its dialog itself, before our BYE is there.
                return (leg.respond(tx, 200, "OK"),)
            return (leg.respond(tx, 481, "Call/Transaction Does Not Exist"),)
        if not dialog.receive(message):
            return (leg.respond(tx, 500, "Server Internal Error"),)
        match message.method:
            case "BYE":
                return self._step(InviteEvent.RECEIVED_BYE, given)
            case "INVITE":
                return self._step(InviteEvent.RECEIVED_REINVITE, given)
            case _:
                return self._step(InviteEvent.RECEIVED_REQUEST, given)

    def _acknowledged(self, tx: int, message: Message | None) -> Outputs:
        leg = self._leg
        if tx == leg.tx:
            return self._step(InviteEvent.RECEIVED_ACK, Given(tx, message=message))
        if leg.reinvites.pop(tx, None) is None:
            return ()
        leg.offer_answer.step(OfferEvent.RECEIVED_ACK)
        body = description_of(message) if message is not None else b""
        return (events.Acknowledged(tx, message, body),)

    def _cancelled(self, tx: int, message: Message | None) -> Outputs:
        leg = self._leg
        if tx == leg.tx:
            return self._step(InviteEvent.RECEIVED_CANCEL, Given(tx, message=message))
        if leg.reinvites.get(tx) is not False:
            return ()
        response = self.respond(tx, 487, "Request Terminated", content_type="")
        return (response, events.ReinviteCancelled(tx))

    def _step(self, event: InviteEvent, given: Given) -> Outputs:
        """Go where the table says; a pair it does not hold is in INVITE_IGNORED."""
        go = INVITE_TABLE[self._state].get(event)
        if go is None:
            return ()
        self._state = go.state
        outputs: Outputs = ()
        for action in go.actions:
            outputs += ACTIONS[action](self._leg, given)
        return outputs
