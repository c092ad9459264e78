"""The next server when one fails: requests outside of dialogs, tried in order (RFC 3263 §4.3)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, final

from trivox._native import EVENT_RESPONSE, EVENT_TIMEOUT, EVENT_TRANSPORT_ERROR
from trivox.errors import TrivoxError
from trivox.sip.event_headers import seconds_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable

    from trivox._native import Message, SipEvent
    from trivox.call.host import Route
    from trivox.net.endpoint import Endpoint
    from trivox.net.target import Target
    from trivox.net.transport import Address, Flow
    from trivox.sip.outputs import SendAck, SendCancel, SendRequest

Renamed = TypeVar("Renamed", "SendAck", "SendCancel")

_FIRST_RESPONSE: Final = 4.0
"""Seconds to wait for a server while another can be asked: UDP repeats four times within it."""
_UNAVAILABLE: Final = 503
_LONGEST_BLOCK: Final = 600.0


@dataclass(slots=True)
class _Course:
    """Where the requests of one route go: the servers not yet tried, and the one that is."""

    route: Route
    target: Target
    index: int
    flow: Flow

    @property
    def address(self) -> Address:
        return self.target.addresses[self.index]

    @property
    def has_next(self) -> bool:
        return self.index + 1 < len(self.target.addresses)


@dataclass(slots=True)
class _Attempt:
    """One request that may be sent again: what it is known by, and what it is now."""

    tx: int
    current: int
    token: int
    course: _Course | None
    output: SendRequest | None
    has_heard: bool = False
    given_up: dict[int, int] = field(default_factory=dict)
    """Transactions that another server followed, by the number their late answer is told under."""


@final
class Failover:
    """Sends requests outside of dialogs, and again to the next server when one fails.

    Whoever sent a request knows it by its first transaction; what comes of a later one is told as if
    it came of the first. A server counts as failed when it answers 503, when its connection breaks
    and when it has said nothing for 4 s; for a while it is then tried last by everybody. What it
    answers after all is told under a number of its own.

    Args:
        is_wanted: Whether the owner of a token still wants its request to be answered.
        new_number: Returns a number that no transaction has.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        is_wanted: Callable[[int], bool],
        new_number: Callable[[], int],
    ) -> None:
        self._endpoint = endpoint
        self._is_wanted = is_wanted
        self._new_number = new_number
        self._late: dict[int, int] = {}
        self._courses: dict[int, _Course] = {}
        self._of_token: dict[int, list[_Attempt]] = {}
        self.attempts: dict[int, _Attempt] = {}
        """Requests that may be sent again, or were, by their latest transactions."""
        self._renamed: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the requests that may be sent again, or were."""
        return len(self.attempts)

    def send(self, token: int, route: Route, output: SendRequest) -> int | None:
        """Send a request to the first server, or to where this token's last one got an answer.

        Returns its transaction; None when there is no way.
        """
        course = self._courses.get(token)
        if course is None or course.route is not route:
            flow = self._endpoint.hops.live_flow(route.flow)
            if flow is None:
                return None
            if route.target is None or len(route.target.addresses) < 2:
                return self._endpoint.request(
                    output, token=token, flow=flow, destination=route.destination
                )
            index = route.target.addresses.index(route.destination)
            course = self._courses[token] = _Course(route, route.target, index, flow)
        else:
            flow = self._endpoint.hops.live_flow(course.flow.id)
            if flow is None:
                return None
            course.flow = flow
        attempt = _Attempt(0, 0, token, course, output)
        attempt.tx = self._begin(attempt)
        self._of_token.setdefault(token, []).append(attempt)
        return attempt.tx

    def renamed(self, output: Renamed) -> Renamed:
        """Return a CANCEL or an ACK for what its request is by now."""
        tx = self._renamed.get(output.tx)
        return output if tx is None else dataclasses.replace(output, tx=tx)

    def rename(self, token: int, tx: int, current: int) -> None:
        """Give what comes of a transaction to who knows it by another number, and try no other."""
        attempt = _Attempt(tx, current, token, None, None)
        self.attempts[current] = attempt
        self._renamed[tx] = current
        self._of_token.setdefault(token, []).append(attempt)

    def take(self, event: SipEvent, now: float) -> SipEvent | None:
        """Return an event under the transaction its owner knows; None when another server is tried."""
        kind, token, tx, method, status, message, flow, source = event
        attempt = self.attempts.get(tx)
        if attempt is None:
            own = self._late.get(tx)
            if own is None:
                return event
            return kind, token, own, method, status, message, flow, source
        if kind == EVENT_RESPONSE and status < 200:
            attempt.has_heard = True
        elif attempt.course is not None and self._has_failed(kind, status, attempt):
            self._block(attempt.course, message, now)
            if self._is_wanted(attempt.token) and self._try_next(attempt):
                return None
        return kind, token, attempt.tx, method, status, message, flow, source

    def forget(self, token: int) -> None:
        """Forget a token: none of its requests is sent again."""
        self._courses.pop(token, None)
        for attempt in self._of_token.pop(token, ()):
            self.attempts.pop(attempt.current, None)
            self._renamed.pop(attempt.tx, None)
            for number, given_up in attempt.given_up.items():
                self._renamed.pop(number, None)
                self._late.pop(given_up, None)

    def _has_failed(self, kind: int, status: int, attempt: _Attempt) -> bool:
        if kind == EVENT_RESPONSE:
            return status == _UNAVAILABLE
        # A server that has answered 100 is there: what it then does not say is its last word.
        return kind in (EVENT_TIMEOUT, EVENT_TRANSPORT_ERROR) and not attempt.has_heard

    def _block(self, course: _Course, message: Message | None, now: float) -> None:
        blocklist = self._endpoint.hops.blocklist
        asked = seconds_untrusted(message.header("Retry-After")) if message is not None else None
        wait = blocklist.LIFETIME if asked is None else min(asked, _LONGEST_BLOCK)
        blocklist.add(course.target.transport, course.address, now + wait)

    def _try_next(self, attempt: _Attempt) -> bool:
        course = attempt.course
        while course is not None and course.has_next:
            course.index += 1
            only = dataclasses.replace(course.target, addresses=(course.address,))
            try:
                course.flow = self._endpoint.flow_to(only)
            except TrivoxError:
                continue
            number, given_up = self._new_number(), attempt.current
            self.attempts.pop(given_up, None)
            attempt.given_up[number] = given_up
            self._late[given_up], self._renamed[number] = number, given_up
            self._renamed[attempt.tx] = self._begin(attempt)
            return True
        return False

    def _begin(self, attempt: _Attempt) -> int:
        endpoint, course = self._endpoint, attempt.course
        assert course is not None, "what has no course is not begun here"
        assert attempt.output is not None, "what has a course can be sent again"
        output = _reached_at(
            attempt.output,
            course.route.identity.contact,
            lambda user, is_secure: endpoint.contact(
                course.flow, course.address, user, is_secure=is_secure
            ),
        )
        tx = endpoint.request(
            output, token=attempt.token, flow=course.flow, destination=course.address
        )
        if course.has_next:
            endpoint.core.shorten(tx, _FIRST_RESPONSE, endpoint.now())
        attempt.current = tx
        self.attempts[tx] = attempt
        return tx


def _reached_at(output: SendRequest, contact: str, made: Callable[[str, bool], str]) -> SendRequest:
    """Return the request with the Contact that its server reaches us at."""
    if output.method == "REGISTER" or ("Contact", contact) not in output.headers:
        return output
    scheme, _, rest = contact.strip("<>").partition(":")
    user, at, _ = rest.rpartition("@")
    fresh = made(user if at else "", scheme == "sips")
    headers = tuple(
        (name, fresh if (name, value) == ("Contact", contact) else value)
        for name, value in output.headers
    )
    return dataclasses.replace(output, headers=headers)
