"""Somebody's subscription at us, in the hands of the program (RFC 6665 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from trivox.actor.watchable import ReadonlyWatchable, assign
from trivox.call.argument_rules import checked_body
from trivox.call.client_events import ClientEvent
from trivox.call.header_rules import checked_mime_type, checked_text
from trivox.errors import CallWrongStateError, InvalidArgumentsError, RequiredParameterError
from trivox.sip.event_packages import CONTENT_TYPES
from trivox.sip.notifier import Publication
from trivox.sip.outputs import Forget, SendRequest, SendResponse
from trivox.sip.subscription_table import NotifierState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox._native import SipEvent
    from trivox.call.host import Route, Timer
    from trivox.client.watchers import Watchers
    from trivox.sip.event_packages import Publishable
    from trivox.sip.notifier import Notifier, Outputs

_REFUSALS = range(300, 700)


@final
class Watcher:
    """Who subscribed to an event here, and is told of it by `notify`.

    It lives until the subscriber leaves, lets its time run out or cannot be reached, until
    `terminate`, and at most as long as the client.

    Attributes:
        event: The package.
        uri: Request-URI: whose state is asked for.
        from_uri: Who asks.
    """

    def __init__(
        self,
        desk: Watchers,
        machine: Notifier,
        token: int,
        route: Route,
        *,
        uri: str,
        from_uri: str,
    ) -> None:
        self.event = machine.event.package
        self.uri = uri
        self.from_uri = from_uri
        self._desk = desk
        self._machine = machine
        self._token = token
        self._route = route
        self._state = ReadonlyWatchable(NotifierState.OFFERED)
        self._timer: Timer | None = None
        self._is_released = False

    def __repr__(self) -> str:
        return f"<Watcher {self.event} {self.uri} {self._state.value}>"

    @property
    def state(self) -> ReadonlyWatchable[NotifierState]:
        """OFFERED, PENDING, ACTIVE, OVER."""
        return self._state

    def notify(
        self, value: Publishable | str | bytes = b"", content_type: str | None = None
    ) -> None:
        """Tell a new state; of several that come faster than they are answered the newest.

        Args:
            value: A MessageSummary, DialogInfo, RegInfo, ConferenceInfo or LoadControl, or a body.
            content_type: Of a body; None: that of the package.

        Raises:
            RequiredParameterError: The package has no content type of its own.
            CallWrongStateError: The subscription is over.
        """
        publication = self._publication(value, content_type)
        if self._machine.state is NotifierState.OVER:
            raise CallWrongStateError("the subscription is over")
        self._publish(publication)

    def terminate(self, reason: str = "noresource", retry_after: float | None = None) -> None:
        """End it with a last NOTIFY; nothing when it is over.

        Args:
            reason: deactivated, probation, rejected, timeout, giveup, noresource or invariant
                (RFC 6665 §4.1.3).
            retry_after: Seconds after which the subscriber may come again.
        """
        if not checked_text(reason, "reason").isalnum():
            raise InvalidArgumentsError(f"{reason!r} is no reason: use one word")
        self._carry_out(self._machine.terminate(reason, self._desk.now(), retry_after))

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries its token."""
        self._carry_out(self._machine.handle(event, now))

    def abandon(self) -> None:
        """Let it go: the client closes and waits no longer."""
        self._release()

    def _accept(self, publication: Publication) -> None:
        self._carry_out(self._machine.accept(publication, self._desk.now()))

    def _publish(self, publication: Publication) -> None:
        self._carry_out(self._machine.publish(publication, self._desk.now()))

    def _conclude(self, publication: Publication) -> None:
        """Tell the last state there will be."""
        self._carry_out(self._machine.conclude(publication, self._desk.now()))

    def _defer(self) -> None:
        self._carry_out(self._machine.defer(self._desk.now()))

    def _reject(self, status: int) -> None:
        self._carry_out(self._machine.reject(status, self._desk.now()))

    def _publication(self, value: Publishable | str | bytes, kind: str | None) -> Publication:
        usual = CONTENT_TYPES.get(self.event)
        if not isinstance(value, str | bytes):
            if not hasattr(value, "to_body"):
                raise InvalidArgumentsError(
                    f"{type(value).__name__} cannot be told: give a MessageSummary, a DialogInfo, "
                    "a RegInfo, a ConferenceInfo, a LoadControl or a body"
                )
            return Publication(value.to_body(), kind or usual or "")
        body = checked_body(value)
        if not body:
            return Publication()
        if kind is None and usual is None:
            raise RequiredParameterError(f"a body of {self.event} needs its content_type")
        return Publication(body, checked_mime_type(kind or usual or ""))

    def _carry_out(self, outputs: Outputs) -> None:
        for output in outputs:
            match output:
                case SendRequest():
                    self._machine.sent(self._desk.send(self._token, self._route, output))
                case SendResponse():
                    is_success = output.status < 300
                    self._desk.respond(output, self._token if is_success else 0)
                case Forget():
                    self._desk.forget(output)
                case _:
                    assign(self._state, output.state)
        self._keep_time()
        if self._machine.is_done:
            self._release()

    def _keep_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.next_deadline()
        self._timer = None if deadline is None else self._desk.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._carry_out(self._machine.handle_timeout(self._desk.now()))

    def _undecided(self) -> None:
        """Refuse what nobody decided in time."""
        self._reject(603)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._is_released:
            self._is_released = True
            self._desk.leave(self, self._token)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequested(ClientEvent):
    """Somebody wants to be told of an event (SUBSCRIBE, RFC 6665); nothing is told without a yes.

    One that is neither accepted nor rejected within 8 s is refused with 603.

    Attributes:
        event: The package, one of `ClientConfig.event_packages`.
        uri: Request-URI: whose state is asked for.
        from_uri: Who asks, as it says itself.
        headers: Of the SUBSCRIBE.
        body: Of the SUBSCRIBE, a filter.
    """

    event: str
    uri: str
    from_uri: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    body: bytes = field(default=b"", repr=False)
    watcher: Watcher = field(repr=False, compare=False)

    def accept(
        self, value: Publishable | str | bytes = b"", content_type: str | None = None
    ) -> Watcher:
        """Answer 200 and tell the state as it is; arguments and errors as of `Watcher.notify`.

        Raises:
            CallWrongStateError: It was refused before, or 8 s are over.
        """
        publication = self.watcher._publication(value, content_type)
        self._refuse_over()
        self.watcher._accept(publication)
        return self.watcher

    def defer(self) -> Watcher:
        """Answer 200 and tell that it is pending; `accept` or `reject` it later."""
        self._refuse_over()
        self.watcher._defer()
        return self.watcher

    def reject(self, code: int = 603) -> None:
        """Refuse it; one that was deferred is told so. Raises InvalidArgumentsError for no refusal."""
        if code not in _REFUSALS:
            raise InvalidArgumentsError(f"{code!r} is no refusal: use a status of 300 to 699")
        self._refuse_over()
        self.watcher._reject(code)

    def _refuse_over(self) -> None:
        if self.watcher.state.value is NotifierState.OVER:
            raise CallWrongStateError("the subscription was refused, or is over")
