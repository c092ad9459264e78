"""A subscription of the program's: what it is told, and how it is kept (RFC 6665 §4.1)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.call.messages import headers_of
from trivox.errors import SubscriptionError, TrivoxError
from trivox.sip.event_packages import value_untrusted
from trivox.sip.outputs import Forget, Remember, SendRequest, SendResponse
from trivox.sip.subscriber import Notified, Subscriber
from trivox.sip.subscription_table import SubscriptionState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from trivox._native import SipEvent
    from trivox.call.host import Route, Timer
    from trivox.client.subscriptions import Asked, Subscriptions
    from trivox.sip.event_packages import EventValue
    from trivox.sip.subscriber import Outputs
    from trivox.sip.subscription import SubscriptionChanged

MAX_WAITING: Final = 256
"""Notifications that may wait for the program; beyond, the oldest is dropped and counted."""
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 1800.0
# RFC 6665 §4.1.3: after these there is nothing to come back for.
_FINAL_REASONS: Final = frozenset({"rejected", "noresource", "invariant"})
_AT_ONCE: Final = frozenset({"deactivated", "timeout"})
# A refusal that may pass.
_PASSING: Final = frozenset({0, 408, 480, 481, 500, 502, 503, 504})
_OPENING: Final = frozenset({SubscriptionState.IDLE, SubscriptionState.SUBSCRIBING})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What one NOTIFY told.

    Attributes:
        value: MessageSummary, DialogInfo, RegInfo, ConferenceInfo, LoadControl or ReferredStatus, by
            the type of the body; None for an empty body, another type, or one that cannot be read.
        body: The octets.
        content_type: Their type.
        state: Of the subscription, as the notifier put it: "active", "pending" or "terminated".
        notifier: Tells several notifiers of one subscription apart (RFC 6665 §5.4.9).
        headers: Of the NOTIFY.
    """

    value: EventValue | None
    body: bytes = field(repr=False)
    content_type: str
    state: str
    notifier: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionEnd:
    """Why a subscription ended.

    Attributes:
        reason: The notifier's word ("rejected", "noresource", …), or what happened.
        sip_code: The status that refused it; 0 when none did.
        retry_after: Seconds until another try makes sense; None when nothing was said.
    """

    reason: str
    sip_code: int = 0
    retry_after: float | None = None


@final
class Subscription:
    """A subscription: `async with client.subscribe(…) as subscription:`, then iterate over it.

    It is refreshed in time, and begun anew when it was lost or moved. Leaving ends it. Iterating
    stops when it has ended for good; `end` says why.
    """

    def __init__(self, desk: Subscriptions, asked: Asked) -> None:
        self._desk = desk
        self._asked = asked
        self._state = ReadonlyWatchable(SubscriptionState.IDLE)
        self._machine: Subscriber | None = None
        self._route: Route | None = None
        self._token = 0
        self._dialog: tuple[str, str] = ("", "")
        self._timer: Timer | None = None
        self._again: Timer | None = None
        self._wait = _FIRST_WAIT
        self._waiting: deque[Notification] = deque()
        self._parked = trio.lowlevel.ParkingLot()
        self._was_accepted = False
        self._is_left = False
        self.lost = 0
        """Notifications dropped because the program did not take them in time."""
        self.end: SubscriptionEnd | None = None

    def __repr__(self) -> str:
        return f"<Subscription {self._asked.event} {self._asked.target} {self._state.value}>"

    @property
    def state(self) -> ReadonlyWatchable[SubscriptionState]:
        """SUBSCRIBING, WAITING, PENDING, ACTIVE, …; of several notifiers the best."""
        return self._state

    async def __aenter__(self) -> Subscription:
        """Subscribe and wait for the answer. Raises SubscriptionError, TransportError."""
        await trio.lowlevel.checkpoint()
        try:
            await self._begin()
            while self.end is None and self._state.value in _OPENING:
                await self._parked.park()
        except BaseException:
            self.close()
            raise
        if self.end is not None and not self._was_accepted:
            end = self.end
            status = f"{end.sip_code or ''} {end.reason}".strip()
            text = f"the subscription to {self._asked.event} was refused ({status})"
            raise SubscriptionError(text, sip_code=end.sip_code, retry_after=end.retry_after)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it; wait for that unless an exception or a cancellation is on its way out."""
        self.close()
        if value is not None:
            return
        with trio.move_on_after(self._desk.leave_timeout):
            while self._machine is not None:
                await self._parked.park()
        await trio.lowlevel.checkpoint()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Notification:
        """Return the next notification, waiting for it."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self.end is not None:
                raise StopAsyncIteration
            await self._parked.park()
        return self._waiting.popleft()

    def close(self) -> None:
        """End it, without waiting; nothing when it has ended."""
        if self._is_left:
            return
        self._is_left = True
        self._note_end(SubscriptionEnd(reason="left"))
        if self._again is not None:
            self._again.cancel()
        if self._machine is not None:
            self._carry_out(self._machine.unsubscribe(self._desk.now()))

    def abandon(self) -> None:
        """Let it go: the client closes and waits no longer."""
        self._release()
        self._note_end(SubscriptionEnd(reason="the client was closed"))

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that belongs to it."""
        if self._machine is not None:
            self._carry_out(self._machine.handle(event, now))

    async def _begin(self) -> None:
        """Send a SUBSCRIBE of a new dialog."""
        route = await self._desk.route(self._asked)
        if self._is_left:
            return
        wish = self._desk.wish(self._asked, route)
        self._route = route
        self._machine = Subscriber(wish)
        self._dialog = (wish.call_id, wish.local_tag)
        self._token = self._desk.enter(self, self._dialog)
        self._carry_out(self._machine.subscribe(self._desk.now()))

    async def _begin_again(self) -> None:
        try:
            await self._begin()
        except (TrivoxError, OSError) as error:
            self._try_later(SubscriptionEnd(reason=str(error)), self._wait)

    def _carry_out(self, outputs: Outputs) -> None:
        machine, route = self._machine, self._route
        assert machine is not None, "its own machine asked for it"
        assert route is not None, "a subscription that sends has its route"
        for output in outputs:
            match output:
                case SendRequest():
                    machine.sent(self._desk.send(self._token, route, output))
                case SendResponse():
                    self._desk.respond(output, self._token)
                case Remember():
                    self._desk.remember(output, self._token)
                case Forget():
                    self._desk.forget(output)
                case Notified():
                    self._take(output)
                case _:
                    self._note(output)
        if self._machine is machine:
            self._keep_time(machine)

    def _keep_time(self, machine: Subscriber) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = machine.next_deadline()
        self._timer = None if deadline is None else self._desk.call_at(deadline, self._expire)

    def _expire(self) -> None:
        if self._machine is not None:
            self._carry_out(self._machine.handle_timeout(self._desk.now()))

    def _take(self, told: Notified) -> None:
        if self._is_left:
            return
        message = told.message
        kind = message.header("Content-Type") or ""
        if told.header.state != "terminated":
            self._wait = _FIRST_WAIT
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(
            Notification(
                value=value_untrusted(kind, message.body),
                body=message.body,
                content_type=kind,
                state=told.header.state,
                notifier=told.from_tag,
                headers=headers_of(message),
            )
        )
        self._parked.unpark_all()

    def _note(self, change: SubscriptionChanged) -> None:
        if change.state not in _OPENING and change.state is not SubscriptionState.TERMINATED:
            self._was_accepted = True
        if change.state is SubscriptionState.TERMINATED:
            self._release()
            end = SubscriptionEnd(
                reason=change.reason, sip_code=change.status, retry_after=change.retry_after
            )
            assign(self._state, change.state)
            self._end_or_try_again(end)
        else:
            assign(self._state, change.state)
        self._parked.unpark_all()

    def _end_or_try_again(self, end: SubscriptionEnd) -> None:
        """Begin anew what may come back (RFC 6665 §4.1.3); a first try that failed is the end."""
        is_passing = end.sip_code in _PASSING and end.reason not in _FINAL_REASONS
        if self._is_left or not self._was_accepted or not is_passing:
            self._note_end(end)
            return
        is_at_once = end.reason in _AT_ONCE and self._wait <= _FIRST_WAIT
        self._try_later(end, 0.0 if is_at_once else self._wait)

    def _try_later(self, end: SubscriptionEnd, wait: float) -> None:
        """Try again after a while: told by the notifier, or doubled each time."""
        self._wait = min(self._wait * 2, _LONGEST_WAIT)
        delay = max(end.retry_after or 0.0, wait)
        self._again = self._desk.call_at(self._desk.now() + delay, self._start_again)

    def _start_again(self) -> None:
        if not self._is_left:
            self._desk.start_soon(self._begin_again, name=f"subscription {self._asked.event}")

    def _note_end(self, end: SubscriptionEnd) -> None:
        self.end = self.end or end
        if self._machine is None:
            self._desk.leave(self)
        self._parked.unpark_all()

    def _release(self) -> None:
        """Let go of the dialog: nothing is owed or expected in it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._machine is not None:
            self._machine = None
            self._desk.release(self._token, self._dialog)
            if self._is_left:
                self._desk.leave(self)
        self._parked.unpark_all()
