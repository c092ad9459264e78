"""How a change of a call's media becomes an offer, and what comes of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

from trivox.call._far_changes import take_reinvite, withdraw_upgrade
from trivox.call._gathering import waits_for_servers
from trivox.call._identity import adopt, introduce
from trivox.call._negotiated import note_negotiated
from trivox.call._paths import ICE
from trivox.call._trickle import offer_rest
from trivox.call._upkeep import take_upkeep
from trivox.call._wishes import catch_up, publish
from trivox.call.states import Phase
from trivox.errors import EngineError, StreamError, StreamUpdateFailedError
from trivox.sip import events as facts

if TYPE_CHECKING:
    from trivox.call._core import CallCore
    from trivox.call.wish import Introduction, MediaWish

_SOON: Final = "renegotiation"


@final
class OfferLine:
    """A call, as its renegotiation sees it (`trivox.call.renegotiation.Line`)."""

    __slots__ = ("_call",)

    def __init__(self, call: CallCore) -> None:
        self._call = call

    def may_offer(self, *, mends_path: bool) -> bool:
        """Whether a change may go out now: agreed on, no path is lost but one, none is out."""
        call = self._call
        session = call._session
        if session is None or session.is_modifying:
            return False
        lost = call._lost_paths - {ICE} if mends_path else call._lost_paths
        return not lost and (call._phase is Phase.CONNECTED or session.early_tag is not None)

    def go_on_soon(self) -> None:
        """Go on with the changes when this turn is over."""
        self._call._after(_SOON, 0.0, self._call._go_on)

    def send_offer(self, direction: str, *, restarts_ice: bool) -> None:
        """Send a re-INVITE that offers this direction, and a new ICE generation if asked for."""
        call = self._call
        assert call._session is not None, "a connected call has its session"
        leg = call._leg
        try:
            leg.sessions.set_direction(leg.session, direction)
            if waits_for_servers(call):
                later = partial(self._send_later, direction, restarts_ice=restarts_ice)
                leg.gathered().on_done = later
                return
            offer = leg.offer(restarts_ice=restarts_ice)
        except (StreamError, EngineError) as error:
            _refuse(call, error)
            return
        is_early = call._phase is not Phase.CONNECTED
        call._carry_out(call._session.modify(offer, method="UPDATE" if is_early else "INVITE"))

    def _send_later(self, direction: str, *, restarts_ice: bool) -> None:
        """Send the offer that has waited for servers, unless it has to wait for more now."""
        changes = self._call._changes
        if changes is None or not changes.is_running:
            return
        if self.may_offer(mends_path=restarts_ice):
            self.send_offer(direction, restarts_ice=restarts_ice)
        else:
            changes.put_back()

    def introduce(self, introduction: Introduction) -> None:
        """Tell the far end who is here now."""
        introduce(self._call, introduction)

    def publish(self, before: MediaWish, after: MediaWish) -> None:
        """Tell everybody what this end sends now."""
        publish(self._call, before, after)


def take_change(call: CallCore, fact: facts.SessionFact) -> None:
    """Take what the session tells of offers, ours and theirs."""
    is_ours = call._changes is not None and call._changes.is_running
    match fact:
        case facts.ReinviteReceived(tx, message, body):
            take_reinvite(call, tx, message, body)
        case facts.ReinviteCancelled():
            withdraw_upgrade(call)
        case facts.ModificationAnswered(_, body, _) if is_ours:
            _take_modified(call, body)
        case facts.ModificationAnswered():
            take_upkeep(call, fact)
            call._go_on()
        case facts.ModificationRefused(status, reason, _):
            text = f"the far end refused the change: {status} {reason}".rstrip()
            error = StreamUpdateFailedError(text, sip_code=status, call_id=call.id)
            _refuse(call, error)
        case facts.ModificationDeferred():
            call._leg.rollback()
            if is_ours and call._changes is not None:
                call._changes.back_off()
        case facts.ModificationDue() if call._changes is not None and not call._changes.is_idle:
            call._changes.is_backing_off = False
            call._changes.go_on()
        case _:
            take_upkeep(call, fact)
    if not isinstance(fact, facts.ModificationDeferred):
        offer_rest(call)


def _take_modified(call: CallCore, body: bytes) -> None:
    assert call._changes is not None, "one of its changes was answered"
    introduction = call._changes.introduction
    if introduction is not None:
        adopt(call, introduction)
    try:
        if body or introduction is None:
            call._leg.take_answer(body, "")
    except (StreamError, EngineError) as error:
        _refuse(call, StreamUpdateFailedError(str(error), call_id=call.id))
        return
    call._changes.accept()
    note_negotiated(call)
    catch_up(call)


def _refuse(call: CallCore, error: Exception) -> None:
    """Leave all as it was; channels that were to have a line now have none."""
    data = call._leg.data
    was_offered = data is not None and data.is_offered
    call._leg.rollback()
    if call._changes is not None:
        call._changes.refuse(error)
    if data is not None and was_offered:
        data.give_up(str(error))
