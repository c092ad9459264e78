"""Calls that are sent on to another target: by us to a caller, and by others to us."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, final

import trio

from trivox.actor.correlation import log_fields
from trivox.call._endings import fail, leave
from trivox.call._gathering import gather_addresses
from trivox.call._kinds import choice_of, offered_kinds
from trivox.call._trickle import invite_headers, remember_capability, target_uri
from trivox.call.argument_rules import checked_names, checked_uri
from trivox.call.events import EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.states import CallDirection, Phase, Trigger
from trivox.errors import (
    CallEndedError,
    EngineError,
    InvalidArgumentsError,
    StreamError,
    TrivoxError,
)
from trivox.sip.bodies import SDP
from trivox.sip.info_packages import TRICKLE, packages_untrusted
from trivox.sip.redirection import FOLLOWED, MOST_REDIRECTIONS, Redirection, targets_untrusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox._native import Message
    from trivox.call._core import CallCore
    from trivox.sip.invite_session import InviteSession

_LOGGER = logging.getLogger("trivox.call")
_MOST_TARGETS = 10
_NOT_ACCEPTABLE = frozenset({488, 606})
_BAD_EXTENSION = 420


async def redirect(call: CallCore, targets: Sequence[str]) -> None:
    """Send the caller elsewhere: see `Call.redirect`."""
    uris = checked_names(targets, "targets")
    if not 0 < len(uris) <= _MOST_TARGETS:
        raise InvalidArgumentsError(f"redirect() takes 1 to {_MOST_TARGETS} targets")
    for uri in uris:
        checked_uri(uri, "targets")
    call._refuse_direction(CallDirection.INCOMING, "redirect()")
    call._refuse_ended()
    call._refuse_phase("an answered call is transferred, not redirected", Phase.IN_CREATED)
    contacts = [
        ("Contact", f"<{uri}>" if len(uris) == 1 else f"<{uri}>;q={1 - 0.1 * number:.1f}")
        for number, uri in enumerate(uris)
    ]
    leave(call, EndReason.LOCAL_ENDED, Farewell(302, tuple(contacts)))
    await trio.lowlevel.checkpoint()


@final
class Redirecting:
    """What a call of ours does with the responses that refuse it (RFC 3261 §8.1.3.4)."""

    __slots__ = ("_call", "_kinds_left", "_redirection", "target")

    def __init__(self, call: CallCore) -> None:
        self._call = call
        self._redirection: Redirection | None = None
        self.target = ""
        """Whom a redirection sent us to, once it is asked."""
        # A far end that is to make the offer refuses none of ours.
        self._kinds_left = () if call.settings.delayed_offer else offered_kinds(call)[1:]
        """Kinds of media to be offered yet, should the far end refuse what is offered now."""

    def party_of(self, message: Message, value: str) -> str:
        """Return who answers: after a redirection not whom To names, but whom it has led to."""
        return f"<{self.target}>" if self.target and not message.is_request else value

    def take_refusal(self, status: int, reason: str, message: Message) -> None:
        """Take the final response that refuses our call: try another target, or let it fail."""
        call = self._call
        if self._offer_all(status, message) or self._offer_next_kind(status):
            return
        target = self._next_target(status, message) if self._may_be_sent_on(status) else None
        # Whoever was asked may have hung up meanwhile.
        is_wanted = call._phase is Phase.OUT_INVITING
        if target is None or call._session is None or not is_wanted:
            fail(call, status, reason, message, Originator.REMOTE, Trigger.REFUSED)
            return
        self._send_on(call._session, target)

    def _send_on(self, refused: InviteSession, target: str) -> None:
        """Try another target in place of one that refused, or that cannot be asked."""
        call = self._call
        call._session = refused.redirected(target)
        call._host.start_soon(self._follow, target, name=f"redirection of {call.id}")

    def _offer_all(self, status: int, message: Message) -> bool:
        """Offer all candidates to a far end that takes none later (RFC 3261 §8.1.3.5)."""
        call, session = self._call, self._call._session
        trickling = call._leg.trickling
        is_asked = status == _BAD_EXTENSION and call._phase is Phase.OUT_INVITING
        if session is None or trickling is None or not trickling.is_first_offer or not is_asked:
            return False
        unknown = packages_untrusted(message.headers("Unsupported"))
        if unknown and TRICKLE not in unknown:
            return False
        remember_capability(call, takes=False)
        trickling.give_up()
        call._session = session.redirected(target_uri(call))
        call._host.start_soon(self._offer_gathered, status, name=f"offer of {call.id}")
        return True

    def _offer_next_kind(self, status: int) -> bool:
        """Offer the next kind of media to a far end that takes none of this one's (488, 606)."""
        call = self._call
        session, route = call._session, call._route
        is_asked = status in _NOT_ACCEPTABLE and call._phase is Phase.OUT_INVITING
        # A far end that has answered early knows what it refuses.
        if not is_asked or not self._kinds_left or call._leg.remote_sdp:
            return False
        if session is None or route is None:
            return False
        kind, *others = self._kinds_left
        self._kinds_left = tuple(others)
        target = target_uri(call)
        if call._leg.trickling is not None:
            call._leg.trickling.give_up()
        try:
            call._leg.change_transport(choice_of(call, kind))
            if call._leg.is_ice and call._host.ice_servers:
                call._session = session.redirected(target)
                call._host.start_soon(self._offer_gathered, status, name=f"offer of {call.id}")
                return True
            offer = call._leg.offer()
        except (StreamError, EngineError):
            return False  # no port is left, say: the refusal stands
        call._session = session.redirected(target)
        call._session.use(route.identity, invite_headers(call))
        call._carry_out(call._session.invite(offer, SDP))
        return True

    async def _offer_gathered(self, status: int) -> None:
        """Offer ICE once the servers have said what they know, unless the call is given up."""
        call = self._call
        session, route = call._session, call._route
        assert session is not None, "an offer of this call was refused"
        assert route is not None, "and it went somewhere"
        try:
            await gather_addresses(call)
            offer = call._leg.offer()
        except CallEndedError:
            return
        except (StreamError, EngineError) as error:
            call._session = None  # it has asked nobody, and would be waited for
            fail(call, status, str(error), None, Originator.SYSTEM, Trigger.REFUSED)
            return
        session.use(route.identity, invite_headers(call))
        call._carry_out(session.invite(offer, SDP))

    def _may_be_sent_on(self, status: int) -> bool:
        is_calling = self._call._phase is Phase.OUT_INVITING
        return is_calling and (self._redirection is not None or status in FOLLOWED)

    def _next_target(self, status: int, message: Message) -> str | None:
        """Return what to call now, if the program allows it and there is something left."""
        call = self._call
        wish = call.settings.redirects
        if wish == "refuse":
            return None
        if self._redirection is None:
            limit = wish if isinstance(wish, int) else MOST_REDIRECTIONS
            self._redirection = Redirection(call.destination, limit)
        if status in FOLLOWED:
            is_secure = call.destination.lower().startswith("sips:")
            targets = self._redirection.offer(targets_untrusted(message, is_secure=is_secure))
            if targets and (isinstance(wish, int) or self._is_allowed(targets)):
                self._redirection.take(targets)
        return self._redirection.next(status)

    def _is_allowed(self, targets: tuple[str, ...]) -> bool:
        """Ask the program; what it raises is a no."""
        call = self._call
        judge = call.settings.redirects
        assert callable(judge), "a number and a refusal need no judge"
        try:
            return bool(judge(targets))
        except Exception:
            _LOGGER.exception("call %s: redirects raised", call.id, extra=log_fields(call.id))
            return False

    async def _follow(self, target: str) -> None:
        """Resolve the target and call it, or the next one, unless the call is given up meanwhile."""
        call = self._call
        session = call._session
        try:
            route = await call._host.route_on(call._face, target)
        except (TrivoxError, OSError) as error:
            if call._session is session and call._phase is Phase.OUT_INVITING:
                self._pass_over(error)
            return
        if session is None or call._session is not session or session.is_over:
            return
        call._route = route
        self.target = target
        call._leg.screen = partial(call._host.screen, route)
        try:
            offer = b"" if call.settings.delayed_offer else call._leg.offer()
        except (StreamError, EngineError) as error:
            self._pass_over(error)
            return
        session.use(route.identity)
        call._carry_out(session.invite(offer, SDP))

    def _pass_over(self, error: Exception) -> None:
        """Go on with the next target after one that cannot be asked; fail if it was the last."""
        call = self._call
        assert self._redirection is not None, "a target was followed"
        target = self._redirection.next(503)
        if target is None or call._session is None:
            call._session = None  # it has asked nobody, and would be waited for
            fail(call, 503, str(error), None, Originator.SYSTEM, Trigger.REFUSED)
            return
        self._send_on(call._session, target)
