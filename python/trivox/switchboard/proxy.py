"""The stateful proxy (RFC 3261 §16): judge, find targets, fork, choose, forward."""

from __future__ import annotations

import heapq
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox._native import Uri
from trivox.errors import InvalidHeaderError
from trivox.net.route import host_port
from trivox.sip.outputs import Headers, SendCancel, SendResponse
from trivox.switchboard.flow_token import FlowTokens, Hop
from trivox.switchboard.identity import Refusal, Request, address_of_untrusted, unsupported
from trivox.switchboard.live_calls import LiveCalls
from trivox.switchboard.privacy import OPTION_TAG
from trivox.switchboard.response_context import (
    Answer,
    CancelBranch,
    Challenge,
    Output,
    ResponseContext,
    Upstream,
    WakeAt,
)

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.net.endpoint import Endpoint
    from trivox.sip.quota import Quota
    from trivox.switchboard.identity import Identity
    from trivox.switchboard.live_calls import Dialog
    from trivox.switchboard.privacy import PrivacyService
    from trivox.switchboard.targets import Target, Targets

_DIALOG_METHODS: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})
_SENT_BY: Final = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+([^;\s]+)", re.IGNORECASE)
_LAST_WAIT: Final = 32.0  # 64·T1 for the answer to a CANCEL (RFC 3261 §9.1)
_AFTERLIFE: Final = 33.0  # 64·T1 and a little: repeated 2xx still find their way (RFC 6026 §7.1)
# Headers of a response that the core writes itself.
_COPIED: Final = frozenset(
    {"via", "from", "to", "call-id", "cseq", "record-route", "content-length"}
)


@dataclass(slots=True)
class _Transaction:
    """A request under way, with the key that tells a loop."""

    request: Request
    key: tuple[str, str, int, str, str]
    responses: ResponseContext
    cancel_headers: Headers = ()
    """Reason of the caller's CANCEL, told to the branches (RFC 3326)."""
    is_retired: bool = False
    user: str = ""
    """Who is calling; "" for nobody whose calls count, and for what is no new call."""
    hops: dict[int, Hop] = field(default_factory=dict)
    """Of a new call: how each branch is reached."""
    callees: set[str] = field(default_factory=set)
    """Tags of those who have taken it."""
    dialog: Dialog | None = None
    """Of a request in a call that counts."""


@final
class Proxy:
    """Forwards requests between users of this switchboard, and inside the dialogs they make."""

    def __init__(
        self,
        endpoint: Endpoint,
        identity: Identity,
        targets: Targets,
        *,
        timer_c: float,
        guests: bool,
        privacy: PrivacyService,
        quota: Quota,
        call_time: float,
    ) -> None:
        """Take the parts; an INVITE may ring `timer_c` seconds (§16.6 step 11).

        A call counts for its user until it ends, or nothing was seen of it for `call_time` seconds.
        """
        self._privacy = privacy
        self._quota = quota
        self._calls = LiveCalls(quota, call_time)
        self._endpoint = endpoint
        self._identity = identity
        self._targets = targets
        self._tokens = FlowTokens(endpoint, identity)
        self._timer_c = timer_c
        self._guests = guests
        self._by_server: dict[int, _Transaction] = {}
        self._by_branch: dict[int, _Transaction] = {}
        self._live: Counter[tuple[str, str, int, str, str]] = Counter()
        self._wake: list[tuple[float, int, int]] = []
        self._forget: list[tuple[float, int]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Return the number of requests under way, INVITEs answered half a minute ago included."""
        return len(self._by_server)

    # Inputs.

    def handle_request(self, request: Request, now: float) -> Refusal | None:
        """Forward a request, or return what to answer.

        Raises:
            ParseError: A header does not parse.
        """
        message = request.message
        uri = Uri.parse(message.uri)
        hops = _max_forwards(message)
        key = _loop_key(message)
        if (refusal := self._judge(message, uri, hops, key)) is not None:
            return refusal
        routes = self._tokens.strip(message.values("Route"))
        # A To tag alone proves no dialog: our own signed Route does.
        is_inside = bool(message.to_tag) and routes.hop is not None
        user = "" if is_inside else self._admit(request, now)
        if isinstance(user, Refusal):
            return user
        targets = self._targets.find(message, uri, routes, now)
        if isinstance(targets, Refusal):
            self._note_cut_off(message, routes.hop)
            return targets
        rest = routes.rest if is_inside else ()
        refusal = self._fork(request, key, targets, rest, hops - 1, user)
        if refusal is None and self._quota.counts_live:
            self._note_call(request, user, routes.hop if is_inside else None)
        return refusal

    def handle_ack(self, message: Message, now: float) -> None:
        """Forward the ACK for a 2xx, without state (§16.11); drop one that leads nowhere."""
        routes = self._tokens.strip(message.values("Route"))
        hops = _max_forwards(message)
        if hops < 1 or routes.hop is None:
            return
        targets = self._targets.find(message, Uri.parse(message.uri), routes, now)
        if not isinstance(targets, Refusal):
            self._forward(message, targets[0], routes.rest, "", hops - 1, 0)

    def handle_response(self, tx: int, message: Message, now: float) -> None:
        """Take a response of a branch."""
        transaction = self._by_branch.get(tx)
        if transaction is not None:
            outputs = transaction.responses.handle_response(tx, message, now)
            self._note_answer(transaction, tx, message, now)
            self._perform(transaction, outputs, now)

    def handle_failure(self, tx: int, now: float, *, is_unreachable: bool) -> None:
        """Take that a branch timed out, or that its connection is gone."""
        transaction = self._by_branch.get(tx)
        if transaction is not None:
            outputs = transaction.responses.handle_failure(tx, now, is_unreachable=is_unreachable)
            if transaction.dialog is not None and transaction.request.message.method == "BYE":
                self._calls.take_silence(transaction.dialog)
            self._perform(transaction, outputs, now)

    def handle_cancel(self, server: int, message: Message | None, now: float) -> None:
        """Take the caller's CANCEL, which the core has answered (§16.10)."""
        transaction = self._by_server.get(server)
        if transaction is not None:
            reasons = message.headers("Reason") if message is not None else ()
            transaction.cancel_headers = tuple(("Reason", reason) for reason in reasons)
            self._perform(transaction, transaction.responses.cancel(now), now)

    def handle_timeout(self, now: float) -> None:
        """Take that `next_deadline` has come."""
        while self._wake and self._wake[0][0] <= now:
            _, _, tx = heapq.heappop(self._wake)
            transaction = self._by_branch.get(tx)
            if transaction is not None:
                self._perform(transaction, transaction.responses.handle_timer(tx, now), now)
        while self._forget and self._forget[0][0] <= now:
            self._remove(heapq.heappop(self._forget)[1])
        self._calls.handle_timeout(now)

    def next_deadline(self) -> float | None:
        """Return when `handle_timeout` is to be called."""
        heads = [heap[0][0] for heap in (self._wake, self._forget) if heap]
        end = self._calls.next_deadline()
        return min(heads if end is None else [*heads, end], default=None)

    # Counting calls.

    def _note_call(self, request: Request, user: str, hop: Hop | None) -> None:
        """Count a call that was forwarded, or find the one that a request is in."""
        transaction = self._by_server[request.tx]
        if hop is not None:
            transaction.dialog = self._calls.find(request.message, hop)
        elif request.message.method == "INVITE":
            transaction.user = user
            self._calls.begin(request.tx, user)

    def _note_cut_off(self, message: Message, hop: Hop | None) -> None:
        """End a call whose BYE goes nowhere: the connection of its other side is gone."""
        if hop is not None and message.method == "BYE" and self._endpoint.flow(hop.flow) is None:
            self._calls.take_cut_off(message, hop)

    def _note_answer(
        self, transaction: _Transaction, tx: int, message: Message, now: float
    ) -> None:
        """Let a call count from its first 2xx on until it ends."""
        if transaction.dialog is not None and message.status >= 200:
            self._calls.take_answer(transaction.dialog, message, now)
        if not transaction.user or not 200 <= message.status < 300:
            return
        request, callee = transaction.request, message.to_tag
        if callee not in transaction.callees:
            transaction.callees.add(callee)
            hops = Hop(request.flow, request.source), transaction.hops[tx]
            contact = request.message.header("Contact")
            user = transaction.user
            self._calls.answered(request.tx, user, message, hops, now, contact=contact)

    # Judging (§16.3).

    def _judge(
        self, message: Message, uri: Uri, hops: int, key: tuple[str, str, int, str, str]
    ) -> Refusal | None:
        if uri.scheme != "sip":
            return Refusal(416)
        if hops < 1:
            return Refusal(483)
        if key in self._live and self._has_passed_here(message):
            return Refusal(482)
        refusal = unsupported(message, "Proxy-Require", frozenset({OPTION_TAG}))
        return refusal or self._privacy.refusal(message)

    def _has_passed_here(self, message: Message) -> bool:
        for via in message.values("Via"):
            found = _SENT_BY.match(via)
            if found and self._is_own_sent_by(found[1]):
                return True
        return False

    def _is_own_sent_by(self, sent_by: str) -> bool:
        host, _, port = sent_by.rpartition(":")
        return port.isdigit() and self._identity.is_own_address((host.strip("[]"), int(port)))

    def _admit(self, request: Request, now: float) -> Refusal | str:
        """Ask who opens a dialog, "" for a guest; a user may only call as itself, and so often."""
        caller = address_of_untrusted(request.message, "From")
        is_local = self._identity.is_own_uri(caller)
        if self._guests and not is_local:
            self._identity.welcome(request)
            return ""
        user = self._identity.authenticate(request, now, proxy=True)
        if isinstance(user, Refusal):
            return user
        if is_local and caller.user != user:
            return Refusal(403)
        is_call = request.message.method == "INVITE"
        wait = self._quota.refusal(user, now) if is_call else None
        return user if wait is None else Refusal(480, (("Retry-After", str(wait)),))

    # Forwarding (§16.6).

    def _fork(
        self,
        request: Request,
        key: tuple[str, str, int, str, str],
        targets: list[Target],
        routes: tuple[str, ...],
        hops: int,
        user: str,
    ) -> Refusal | None:
        message = request.message
        is_invite = message.method == "INVITE"
        transaction = _Transaction(
            request, key, ResponseContext(is_invite, self._timer_c, _LAST_WAIT)
        )
        makes_dialog = message.method in _DIALOG_METHODS and not message.to_tag
        for target in targets:
            record_route = ""
            if makes_dialog:
                came_by = Hop(request.flow, request.source)
                leaves_by = Hop(target.flow.id, target.destination)
                record_route = self._tokens.record_route(came_by, leaves_by)
            route = target.path + routes
            tx = self._forward(message, target, route, record_route, hops, request.tx, user)
            if tx:
                transaction.responses.add(tx)
                transaction.hops[tx] = Hop(target.flow.id, target.destination)
                self._by_branch[tx] = transaction
        if not transaction.responses.branches:
            return Refusal(400)
        if makes_dialog:
            self._endpoint.keep(request.flow)
        self._by_server[request.tx] = transaction
        self._live[key] += 1
        return None

    def _forward(
        self,
        message: Message,
        target: Target,
        routes: tuple[str, ...],
        record_route: str,
        hops: int,
        server: int,
        user: str = "",
    ) -> int:
        endpoint = self._endpoint
        local = endpoint.local_address(target.flow, target.destination)
        self._identity.add_address(local)
        try:
            tx = endpoint.core.forward(
                message,
                target.uri,
                target.flow.id,
                target.destination,
                host_port(local),
                routes=routes,
                record_route=record_route,
                max_forwards=hops,
                server=server,
                now=endpoint.now(),
                replaced=self._privacy.replaced(message, user, target.destination[0]),
            )
        except InvalidHeaderError:
            return 0
        endpoint.touch()
        return tx

    # Responses (§16.7).

    def _perform(self, transaction: _Transaction, outputs: tuple[Output, ...], now: float) -> None:
        server = transaction.request.tx
        for output in outputs:
            if isinstance(output, Upstream):
                self._endpoint.core.forward_response(server, output.message, now)
                self._endpoint.touch()
            elif isinstance(output, Challenge):
                self._endpoint.respond(_joined(server, output), token=0)
            elif isinstance(output, Answer):
                answer = self._identity.answer(transaction.request, Refusal(output.status))
                self._endpoint.respond(answer, token=0)
            elif isinstance(output, CancelBranch):
                headers = transaction.cancel_headers
                if transaction.responses.has_succeeded:
                    headers = (("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),)
                self._cancel(output.tx, headers)
            elif isinstance(output, WakeAt):
                heapq.heappush(self._wake, (output.deadline, next(self._order), output.tx))
        if transaction.responses.is_complete and not transaction.is_retired:
            self._retire(transaction, now)

    def _cancel(self, tx: int, headers: Headers) -> None:
        try:
            self._endpoint.cancel(SendCancel(tx, headers), token=0)
        except InvalidHeaderError:  # a caller's Reason that we may not repeat
            self._endpoint.cancel(SendCancel(tx, ()), token=0)

    def _retire(self, transaction: _Transaction, now: float) -> None:
        """Keep a finished INVITE for its repeated 2xx; drop anything else at once."""
        transaction.is_retired = True
        self._calls.retire(transaction.request.tx)
        self._live[transaction.key] -= 1
        if not self._live[transaction.key]:
            del self._live[transaction.key]
        if transaction.responses.is_invite:
            heapq.heappush(self._forget, (now + _AFTERLIFE, transaction.request.tx))
        else:
            self._remove(transaction.request.tx)

    def _remove(self, server: int) -> None:
        transaction = self._by_server.pop(server, None)
        if transaction is not None:
            for tx in transaction.responses.branches:
                self._by_branch.pop(tx, None)


def _max_forwards(message: Message) -> int:
    """Return Max-Forwards, 70 when absent (§16.6 step 3)."""
    text = (message.header("Max-Forwards") or "70").strip()
    return min(int(text), 255) if text.isascii() and text.isdigit() else 70


def _loop_key(message: Message) -> tuple[str, str, int, str, str]:
    """Return what is the same in a request that comes back and in no other (§16.3 step 4)."""
    method, _, call_id, from_tag, _, _, _, cseq = message.key()
    return call_id, from_tag, cseq, method, message.uri


def _joined(server: int, challenge: Challenge) -> SendResponse:
    """Make one response of several challenges."""
    best = challenge.message
    headers = [pair for pair in best.items() if pair[0].lower() not in _COPIED]
    for other in challenge.others:
        for name in ("WWW-Authenticate", "Proxy-Authenticate"):
            headers += [(name, value) for value in other.headers(name)]
    return SendResponse(server, best.status, best.reason, tuple(headers), best.body, best.to_tag)
