"""One call's signalling, either role: INVITE to BYE as a table (RFC 3261 §13 to §15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self, final

from trivox.errors import CallWrongStateError
from trivox.sip.bodies import SDP, description_of
from trivox.sip.dialog import Dialog
from trivox.sip.invite_actions import step
from trivox.sip.invite_facts import InviteFacts
from trivox.sip.invite_inputs import next_deadline, take_event, take_time
from trivox.sip.invite_leg import Given, InviteLeg, Purpose
from trivox.sip.invite_table import InviteEvent, InviteState
from trivox.sip.modification import begin_change
from trivox.sip.offer_answer import OfferEvent
from trivox.sip.redirection import leg_for
from trivox.sip.reliable import Reliability
from trivox.sip.session_timer import SessionTimer, TimerOffer

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.events import SessionOutput
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.outputs import Headers, SendRequest, SendResponse

Outputs = tuple["SessionOutput", ...]

NO_TIMER: Final = TimerOffer(interval=0)
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = InviteState.INCOMING
_ACCEPT: Final = InviteEvent.ACCEPT
_RECEIVED_INVITE_SDP: Final = OfferEvent.RECEIVED_INVITE_SDP


@final
class InviteSession(InviteFacts):
    """Decide what one call says, and tell its owner what it hears. Sans-I/O.

    Every command and every input returns outputs: carry them out in order before the next one.
    For each `SendRequest` among them start a transaction and report it with `sent` at once.
    Then sleep until `next_deadline()` and call `handle_timeout`; what repeats a message is the
    core's timer and reaches it as an event. A command that comes too
    late or belongs to the other role has no effect and returns nothing.
    """

    __slots__ = ()

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
        timer: TimerOffer = NO_TIMER,
        reliability: Reliability = Reliability.SUPPORTED,
    ) -> Self:
        """Return a session that can `invite`; Call-ID, From tag and cnonce are to be fresh.

        Args:
            identity: As whom we call; its Contact and routes are those of this call's flow.
            target: Request-URI, and To.
            call_id: Call-ID.
            local_tag: From tag.
            cnonce: For digest answers.
            extra_headers: Go into every try of the INVITE.
            timer: The session timer we ask for.
            reliability: Of provisional responses.
        """
        leg = InviteLeg(
            call_id=call_id,
            local_tag=local_tag,
            contact=identity.contact,
            cnonce=cnonce,
            digest=identity.digest,
            state=InviteState.IDLE,
            timer=SessionTimer(timer),
            reliability=reliability,
            identity=identity,
            target=target,
            extra_headers=extra_headers,
        )
        return cls(leg)

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
        timer: TimerOffer = NO_TIMER,
        reliability: Reliability = Reliability.SUPPORTED,
    ) -> Self:
        """Return the session of an INVITE that came, not answered yet.

        Args:
            request: The INVITE, valid and without To tag.
            tx: Its server transaction.
            local_tag: A fresh tag for To.
            contact: Our Contact value.
            identity: Whose credentials may answer a challenge to our BYE; None: nobody's.
            cnonce: As for `outgoing`.
            timer: The session timer we agree to.
            reliability: Of our provisional responses.
        """
        dialog = Dialog.from_request(request, local_tag=local_tag, contact=contact)
        digest = identity.digest if identity is not None else None
        # One by one: keywords would be put into a dict first, for each call that comes.
        leg = InviteLeg(
            dialog.call_id, local_tag, contact, cnonce, digest, _INCOMING, SessionTimer(timer)
        )
        leg.reliability, leg.identity = reliability, identity
        leg.tx, leg.dialog = tx, dialog
        leg.requests[tx] = request
        leg.remote_invite_cseq = request.cseq
        leg.learn(request)
        leg.offer_answer.step(
            _RECEIVED_INVITE_SDP if description_of(request) else OfferEvent.RECEIVED_INVITE
        )
        return cls(leg)

    def redirected(self, target: str) -> InviteSession:
        """Return a session that tries another target in place of this one, which was refused.

        Call-ID, From and To stay, the CSeq goes on (RFC 3261 §8.1.3.4); `use` comes before `invite`.
        """
        return InviteSession(leg_for(self._leg, target))

    def use(self, identity: LocalIdentity, extra_headers: Headers | None = None) -> None:
        """Take the identity of the flow to another target, and what its INVITE has in addition."""
        self._leg.use(identity)
        if extra_headers is not None:
            self._leg.extra_headers = extra_headers

    def invite(self, body: bytes = b"", content_type: str = SDP) -> Outputs:
        """Send the INVITE; without body the far end makes the offer (RFC 3261 §13.2.1)."""
        if self._leg.identity is None:
            return ()
        return step(self._leg, InviteEvent.INVITE, Given(body=body, content_type=content_type))

    def acknowledge(self, body: bytes, content_type: str = SDP) -> Outputs:
        """Answer the offer of a 2xx: the ACK carries it (see `Answered.is_offer`)."""
        return step(self._leg, InviteEvent.ACKNOWLEDGE, Given(body=body, content_type=content_type))

    def sent(self, tx: int) -> None:
        """Take the transaction of the oldest `SendRequest` not reported yet."""
        leg = self._leg
        request = leg.unsent.pop(0)
        leg.pending[tx] = request
        request.first_tx = request.first_tx or tx
        request.tx = tx
        if request.purpose is Purpose.INVITE:
            leg.tx = tx

    def provisional(
        self,
        status: int,
        reason: str,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = SDP,
        *,
        is_reliable: bool | None = None,
    ) -> Outputs:
        """Send a provisional response (101 to 199) to their INVITE; a body previews our answer.

        Sent reliably it waits for the PRACK of the one before, and a body is our answer, or our
        offer if theirs had none (RFC 3262 §5). Who requires that always gets it; with `is_reliable`
        None the policy decides.

        Raises:
            NotSupportedError: It is to be reliable, and the far end does not know the extension.
        """
        given = Given(0, status, reason, None, headers, body, content_type)
        request = self._leg.requests.get(self._leg.tx)
        if request is not None:
            policy = self._leg.reliability
            given.is_reliable = policy.wants(request, is_reliable, has_body=bool(body))
        return step(self._leg, InviteEvent.PROVISIONAL, given)

    def accept(self, headers: Headers = (), body: bytes = b"", content_type: str = SDP) -> Outputs:
        """Answer their INVITE with 200; `body` is our answer, or our offer if theirs had none.

        It waits while a description sent reliably has no PRACK (RFC 3262 §3): nothing is returned
        then, and `AcceptSent` follows.
        """
        leg = self._leg
        given = Given(0, 200, "OK", None, headers, body, content_type)
        is_early = leg.sender is not None and leg.state is _INCOMING
        if is_early and leg.sender is not None and not leg.sender.accept(given):
            return ()
        return step(leg, _ACCEPT, given)

    def reject(self, status: int, reason: str, headers: Headers = ()) -> Outputs:
        """Answer their INVITE with a final response of 300 or more."""
        given = Given(0, status, reason, None, headers)
        return step(self._leg, InviteEvent.REJECT, given)

    def end(self, headers: Headers = (), *, status: int = 603, reason: str = "Decline") -> Outputs:
        """End the session: rejection, CANCEL or BYE, now or as soon as it is allowed.

        `LocalEnded` follows when it is complete. Calling again has no effect. `headers` go into
        the message that ends it; status and reason are of the rejection, if it is one.
        """
        self._leg.end_headers = self._leg.end_headers or headers
        given = Given(headers=headers)
        if self._leg.state is InviteState.INCOMING:
            given.status, given.reason = status, reason
        return step(self._leg, InviteEvent.END, given)

    def request(
        self,
        method: str,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
        *,
        to_tag: str = "",
    ) -> SendRequest:
        """Return another request in the dialog (INFO, MESSAGE, OPTIONS); not INVITE, ACK, BYE.

        As caller it may go into the early dialog of `to_tag` before the 2xx. `ResponseReceived`
        follows. A challenge is answered inside.

        Raises:
            CallWrongStateError: There is no dialog, or it has ended.
        """
        leg = self._leg
        ended = (InviteState.ENDING, InviteState.TERMINATED)
        dialog = leg.dialog or leg.early.get(to_tag)
        if dialog is None or self._leg.state in ended:
            raise CallWrongStateError(
                f"{method} needs a dialog", state=self._leg.state, allowed=(InviteState.CONFIRMED,)
            )
        request = leg.new_request(Purpose.REQUEST, method, dialog)
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
        is_update = tx in leg.updates
        if is_reinvite and status >= 200:
            leg.answer_reinvite(tx, status, body)
        elif is_update and status >= 200:
            leg.answer_update(tx, status, body)
        return leg.respond(
            tx,
            status,
            reason,
            headers=headers,
            body=body,
            content_type=content_type,
            is_target_refresh=is_reinvite or is_update,
        )

    def forget_branches(self) -> Outputs:
        """Drop the branches that lost and whose BYE has no answer yet: nobody waits for it."""
        return self._leg.forget_others()

    def modify(
        self,
        body: bytes = b"",
        content_type: str = SDP,
        headers: Headers = (),
        *,
        method: Literal["INVITE", "UPDATE"] = "INVITE",
        to_tag: str = "",
        party: str = "",
    ) -> Outputs:
        """Change the session by a re-INVITE; without body the far end makes the offer (RFC 3261 §14).

        An UPDATE does it without ACK; without body it changes what its headers say (RFC 3311). It
        may do so before the 2xx, as caller in the early dialog of `to_tag`, once that has agreed.
        With `party`, a name-addr, it says who is here now (RFC 4916); a refusal takes that back.

        `ModificationAnswered` or `ModificationRefused` follows; or `ModificationDeferred`, at once
        while another INVITE is in progress or later when theirs crosses it, and `ModificationDue`
        when it is to be tried again with a fresh offer.

        Raises:
            CallWrongStateError: The session is not agreed or has ended, or a change is out already.
        """
        given = Given(headers=headers, body=body, content_type=content_type)
        given.method, given.tag, given.party = method, to_tag, party
        return begin_change(self._leg, given)

    def acknowledge_progress(self, to_tag: str, body: bytes, content_type: str = SDP) -> Outputs:
        """Answer the offer of a reliable response: its PRACK carries it (see `Progress`)."""
        leg = self._leg
        early = leg.exchanges.get(to_tag)
        if early is None or not early.prack_awaited or leg.dialog is not None:
            return ()
        serial, early.prack_awaited = early.prack_awaited, 0
        early.offer_answer.step(OfferEvent.SENT_ACK)
        early.is_agreed = True
        return (leg.prack(to_tag, serial, body, content_type),)

    def acknowledge_modification(self, body: bytes, content_type: str = SDP) -> Outputs:
        """Answer the offer of a 2xx to our re-INVITE: the ACK carries it."""
        leg, given = self._leg, Given(body=body, content_type=content_type)
        return () if leg.modification is None else leg.modification.acknowledge(leg, given)

    def next_deadline(self) -> float | None:
        """Return when `handle_timeout` is to be called; None: not by itself."""
        return next_deadline(self._leg)

    def handle_timeout(self, now: float) -> Outputs:
        """Do what is due at `now`, in seconds on the monotonic clock."""
        return take_time(self._leg, now)

    def handle(self, event: SipEvent, now: float) -> Outputs:
        """Take an event of the core that carries this call's token.

        Args:
            event: As the core gave it.
            now: Seconds on the monotonic clock.
        """
        return take_event(self._leg, event, now)
