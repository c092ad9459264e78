"""A call: placed or answered, talked on, and hung up whatever happens.

Its face has three bases, `_signalling` (what is said), `_media` (what is heard and seen) and `_listening`
(what is told); what they do is in the parts that `_core` holds together. A call is stepped synchronously
by the client's drain; its only task is the program's own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call._endings import lose, refuse
from trivox.call._listening import CallListening
from trivox.call._media import CallMedia
from trivox.call._party import learn_party
from trivox.call._signalling import CallSignalling
from trivox.call.end_scope import CancelOnEnd
from trivox.call.events import CallEnd, EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.messages import headers_of
from trivox.call.origin import CallOrigin, origin_of
from trivox.call.states import LEAVING, CallDirection, Phase, Trigger
from trivox.sip.invite_session import InviteSession

if TYPE_CHECKING:
    from types import TracebackType

    from trivox._native import Message
    from trivox.call.host import AccountFace, CallHost, Route
    from trivox.call.settings import CallSettings
    from trivox.sip.dialog import Dialog

_DRIVEN: Final = frozenset({"abandon", "handle_engine_event", "handle_sip", "token"})
"""What other parts of trivox call without an underscore."""
RETURNED: Final = 480
"""A handler returned without answering (RFC 3261 §21.4.18)."""
RAISED: Final = 500
CANCELLED: Final = 503
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_INCOMING: Final = CallDirection.INCOMING
_OUTGOING: Final = CallDirection.OUTGOING
_IN_CREATED: Final = Phase.IN_CREATED


@final
class Call(CallSignalling, CallMedia, CallListening):
    """One call. Made by `Client.create_call`, `Client.dial`, or by somebody who calls.

    Use it as `async with call:`; leaving hangs up. Methods that only change something are plain
    functions and never wait; waiting is a method of its own.
    """

    __slots__ = ()

    @classmethod
    def _incoming(
        cls,
        host: CallHost,
        *,
        id: str,  # noqa: A002 (as above)
        token: int,
        request: Message,
        offer: bytes,
        tx: int,
        route: Route,
        settings: CallSettings,
        account: AccountFace | None,
    ) -> Call:
        """Make the call of an INVITE that came, with its description; empty for none."""
        session = InviteSession.incoming(
            request,
            tx,
            local_tag=host.new_id(),
            contact=route.identity.contact,
            identity=route.identity,
            cnonce=host.new_id() if route.identity.digest is not None else "",
            timer=settings.session_timer,
            reliability=settings.reliability,
        )
        dialog = session.dialog
        assert dialog is not None, "the callee's session is born with its dialog"
        # One by one: keywords would be put into a dict first, for each call that comes.
        call = cls(host, id, token, _INCOMING, request.uri, dialog.call_id, settings, account)
        call._route = route
        call._leg.screen = partial(host.screen, route)
        call._remote_offer = offer
        call._session = session
        call.remote_headers = headers_of(request)
        call._first_headers = call.remote_headers
        learn_party(call, request, dialog.remote_party)
        return call

    def __dir__(self) -> list[str]:
        """Name what is a program's business; the rest the client drives."""
        return [name for name in super().__dir__() if _is_public(name)]

    @property
    def origin(self) -> CallOrigin:
        """Asserted identity, diversions, history and ring of the caller, or of who answered.

        The asserted identity is there only if the account is `trusted` and the message came from
        one of its servers.
        """
        is_trusted = self._route is not None and self._route.identity.is_trusted
        return origin_of(self._first_headers or self.remote_headers, is_trusted=is_trusted)

    @property
    def _signalling_is_over(self) -> bool:
        """True when no message of this call is owed or expected any more."""
        return self._session is None or self._session.is_over

    def abandon(self) -> None:
        """End, in whatever state: the client is closed, and no message will come."""
        lose(self, "the client was closed", Trigger.LOST)

    @property
    def _invite_transaction(self) -> int:
        """The core's transaction of the INVITE; 0 before it is sent."""
        return 0 if self._session is None else self._session.tx

    @property
    def _route_set(self) -> tuple[str, ...]:
        """The proxies that requests within the dialog pass; empty without one."""
        dialog = self._session.dialog if self._session is not None else None
        return dialog.route_set if dialog is not None else ()

    @property
    def _dialogs(self) -> tuple[Dialog, ...]:
        """The dialogs of this call, those of its early branches included."""
        return self._session.dialogs if self._session is not None else ()

    def _late_answers(self) -> tuple[InviteSession, Route] | None:
        """Return what is needed while a 2xx may still come that we must acknowledge, or None.

        Of another branch, or after a refusal that did not come from everybody (RFC 3261 §13.2.2.4);
        or to a re-INVITE of ours that the end of the call has overtaken, or that was given up before
        it.
        """
        session, route = self._session, self._route
        if session is None or route is None:
            return None
        is_ours = self.direction is _OUTGOING
        may_be_late = is_ours or session.is_modifying or session.has_given_up
        return (session, route) if may_be_late else None

    def _note_taken(self) -> None:
        """Note that the program has this incoming call in its hands."""
        self._is_taken = True
        self._withdraw("untaken")

    def _expect_taker(self, seconds: float) -> None:
        """Answer 480 if nobody has taken or answered the call by then."""
        if not self._is_taken and self._phase is _IN_CREATED:
            self._after("untaken", seconds, self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        if self._phase is Phase.IN_CREATED and self.timings.progressed is None:
            refuse(self, RETURNED, is_untaken=True)

    async def wait_connected(self) -> None:
        """Wait until the call is connected. Cancelling it has no effect on the call.

        Raises:
            CallFailedError: The attempt failed: BusyError, DeclinedError, UnavailableError, …
            CallEndedError: It was ended before. One that connects while this waits and ends at once
                raises nothing here: `call.end` tells.
        """
        if self.end is not None or self.timings.connected is not None:
            await trio.lowlevel.checkpoint()
            if self._state_now().is_terminal:
                raise self._ended_error()
        while self.timings.connected is None:
            if self._state_now().is_terminal:
                raise self._ended_error()
            if self._until_connected is None:
                self._until_connected = trio.lowlevel.ParkingLot()
            await self._until_connected.park()

    async def wait_ended(self) -> CallEnd:
        """Wait until the call is over and return how it ended. Cancelling it has no effect."""
        if self.end is not None:
            await trio.lowlevel.checkpoint()
            return self.end
        if self._until_ended is None:
            self._until_ended = trio.Event()
        await self._until_ended.wait()
        assert self.end is not None, "the end is noted before it is told"
        return self.end

    async def aclose(self) -> None:
        """Hang up and wait for the end, at most `hangup_timeout`; as leaving `async with call`.

        If cancelled it returns at once: the call is ending already.
        """
        self._exit(None)
        await self._wait_left()

    async def __aenter__(self) -> Call:
        try:
            await trio.lowlevel.checkpoint()
        except BaseException as error:
            self._exit(error)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up; wait for the end unless an exception or a cancellation is on its way out."""
        self._exit(value)
        if value is None:
            await self._wait_left()
            self._raise_of_listener()

    def _raise_of_listener(self) -> None:
        """Raise what a listener raised under FAIL_CALL."""
        if self._listener_error is not None:
            raise self._listener_error

    async def _wait_left(self) -> None:
        if self.end is not None:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(self._host.hangup_timeout):
            await self.wait_ended()

    def _exit(self, error: BaseException | None) -> None:
        """End the call as the exit of its block does: at once, without waiting.

        A caller still waiting for an answer is told 480, 500 after an Exception, 503 after a
        cancellation.
        """
        if error is None:
            refuse(self, RETURNED)
        elif isinstance(error, Exception):
            refuse(self, RAISED)
        else:
            refuse(self, CANCELLED, self._host.retry_after)

    def _fail_by_listener(self, error: Exception) -> None:
        """Hang up because a listener raised, under FAIL_CALL."""
        if self._state_now().is_terminal or self._phase in LEAVING:
            return
        self._farewell = Farewell(RAISED)
        self._listener_error = error
        self._cause = CallEnd(
            reason=EndReason.LOCAL_ENDED, originator=Originator.SYSTEM, error=error
        )
        self._step(Trigger.HANGUP)

    def cancel_on_end(self, *, error: bool = False) -> CancelOnEnd:
        """Cancel the body of `async with` when the call ends, and leave quietly then.

        Args:
            error: Raise CallEndedError instead of leaving quietly.
        """
        return CancelOnEnd(self, raises=error)

    def _watch_end(self, scope: trio.CancelScope) -> None:
        """Cancel a scope when the call ends; at once if it has."""
        if self.end is not None:
            scope.cancel()
        else:
            self._end_scopes.append(scope)

    def _unwatch_end(self, scope: trio.CancelScope) -> None:
        """Leave a scope alone from now on."""
        if scope in self._end_scopes:
            self._end_scopes.remove(scope)


def _is_public(name: str) -> bool:
    is_special = name.startswith("__") and name.endswith("__")
    return is_special or not (name.startswith("_") or name in _DRIVEN)
