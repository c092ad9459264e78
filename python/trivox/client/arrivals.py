"""Requests that belong to no dialog of ours: new calls, messages, questions, mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox.call.call import Call
from trivox.call.client_events import IncomingCall
from trivox.client.admission import Admission
from trivox.client.attribution import Attribution
from trivox.client.exchange import vet
from trivox.client.incoming_messages import message_event_untrusted
from trivox.client.mixing import Mixing
from trivox.client.outside import ACCEPTED
from trivox.client.referrals import Referrals
from trivox.client.replacing import named_call
from trivox.client.reports import Reports
from trivox.client.subscriptions import Subscriptions
from trivox.client.takers import Takers
from trivox.client.watchers import Watchers
from trivox.errors import ConnectionNetworkError
from trivox.net.target import SECURE, is_sips
from trivox.sip.bodies import SDP, description_of
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.header_values import without_parameters
from trivox.sip.reliable import takes_reliable
from trivox.sip.session_timer import refusal_of as interval_refusal

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.call.settings import CallSettings
    from trivox.client.admission import Refusal
    from trivox.client.client import Client
    from trivox.client.wiring import Wiring
    from trivox.sip.outputs import Headers

_IN_DIALOGS: Final = frozenset(
    {
        *("INVITE", "OPTIONS", "MESSAGE", "BYE", "INFO", "SUBSCRIBE", "NOTIFY", "REFER"),
        *("PRACK", "UPDATE"),
    }
)


@final
class Arrivals:
    """Judges what comes in from outside (RFC 3261 §8.2) and finds a taker for each new call."""

    def __init__(self, client: Client, wiring: Wiring) -> None:
        self.client = client
        self.takers = Takers()
        self.subscriptions = Subscriptions(wiring, client.config.max_subscriptions)
        self.watchers = Watchers(client, wiring)
        self.referrals = Referrals(client, wiring)
        self.reports = Reports(client, wiring, self.watchers)
        self.attribution = Attribution(client.accounts, wiring.endpoint)
        seed = wiring.registering.seed
        self.admission = Admission(client.config, client.accounts, wiring.endpoint, seed=seed)
        self.quota = client.config.door.quota(retry_after=client.config.retry_after)
        self.is_closed = False
        self._is_shut = False
        self._wiring = wiring
        wiring.take_request = self.take
        wiring.subscriptions = self.subscriptions

    @property
    def retry_after(self) -> Headers:
        """The Retry-After header of our 503s."""
        return self._wiring.retry_after

    def close(self) -> None:
        """Take no more calls."""
        self.is_closed = True
        self.note_calls()
        self.takers.close()

    def note_calls(self) -> None:
        """Shut the door to new calls, or open it, as the number of calls asks for."""
        limit = self.client.config.max_calls
        is_shut = self.is_closed or (limit is not None and len(self.client._calls) >= limit)
        if is_shut != self._is_shut:
            self._is_shut = is_shut
            self._wiring.endpoint.core.shut_door(is_shut)

    def take(self, event: SipEvent, now: float) -> None:
        """Take a request that no call or registration of ours claims."""
        _, _, tx, method, _, request, _, _ = event
        if request is None:
            return
        judged = self.admission.judge(request, event, now)
        if self._is_silent_to(event, request, judged):
            self._wiring.endpoint.core.drop_request(tx, now)
            return
        # Who may ask is looked at before what is asked (RFC 3261 §8.2).
        user, refusal = (judged, None) if isinstance(judged, str) else ("", judged)
        refusal = refusal or vet(request) or self._refused_scheme(request, event)
        if refusal is not None:
            self._respond(tx, *refusal)
            return
        if request.to_tag:
            self._take_inside(event, request, now)
            return
        match method:
            case "INVITE":
                self._take_invite(event, request, now, user)
            case "OPTIONS":
                self._answer_options(tx)
            case "MESSAGE":
                self._take_message(event, request, now)
            case "SUBSCRIBE":
                self._take_subscribe(event, request)
            case "REFER":
                self._take_refer(event, request)
            case _:
                self._take_other(event)

    def _is_silent_to(self, event: SipEvent, request: Message, judged: Refusal | str) -> bool:
        """Whether a request gets no answer: silent mode, and nobody of ours asks."""
        if not self.client.config.door.silent or not self.admission.is_stranger(event, judged):
            return False
        # The core knows the dialog of a subscription by its first NOTIFY only (RFC 6665 §4.4.1).
        return event[3] != "NOTIFY" or self.subscriptions.find(request) is None

    def _take_inside(self, event: SipEvent, request: Message, now: float) -> None:
        """Take a request in a dialog that is no call's: the call is over, or it is no call."""
        tx, method = event[2], event[3]
        subscription = self.subscriptions.find(request) if method == "NOTIFY" else None
        if subscription is not None:
            # It overtook the 2xx, or comes from another branch (RFC 6665 §4.4.1).
            subscription.handle_sip(event, now)
        elif method in _IN_DIALOGS:
            self._respond(tx, 481, "Call/Transaction Does Not Exist")
        else:
            self._take_other(event)

    def _take_other(self, event: SipEvent) -> None:
        tx, method = event[2], event[3]
        match method:
            case "ACK":
                return
            case "BYE" | "INFO" | "NOTIFY" | "PRACK" | "UPDATE":
                self._respond(tx, 481, "Call/Transaction Does Not Exist")
            case _:
                self._respond(tx, 405, "Method Not Allowed", (ALLOW,))

    def _refused_scheme(self, request: Message, event: SipEvent) -> tuple[int, str, Headers] | None:
        """Refuse a `sips` URI that came without TLS: its sender broke the promise (RFC 5630 §3)."""
        flow = self._wiring.endpoint.flow(event[6])
        if not is_sips(request.uri) or (flow is not None and flow.transport in SECURE):
            return None
        if not self._wiring.endpoint.tls.can_listen:
            return 416, "Unsupported URI Scheme", ()
        warning = ("Warning", '380 trivox "SIPS Not Allowed"')
        return 480, "Temporarily Unavailable", (warning,)

    def _take_invite(self, event: SipEvent, request: Message, now: float, user: str) -> None:
        _, _, tx, _, _, _, flow, source = event
        wiring, offer = self._wiring, description_of(request)
        refusal = self._refusal(request, offer)
        if refusal is not None:
            self._respond(tx, *refusal)
            return
        named = named_call(request, self.client._calls_by)
        if named is not None and isinstance(named[0], int):
            self._respond(tx, *named)
            return
        account = self.attribution.account_of(request, source, flow)
        try:
            route = wiring.routes.back(request, event, account)
        except (ConnectionNetworkError, OSError):
            self._respond(tx, 503, "Service Unavailable")
            return
        settings = account.config.settings if account else self.client.config.call_settings
        refusal = _against_settings(request, settings)
        if refusal is not None:
            self._respond(tx, *refusal)
            return
        identity = self._identity_of(request, event, user, is_trusted=route.identity.is_trusted)
        if self._is_one_too_many(tx, identity, now):
            return
        call = Call._incoming(
            wiring,
            id=wiring.new_id(),
            token=wiring.exchange.new_token(),
            request=request,
            offer=offer,
            tx=tx,
            route=route,
            settings=settings,
            account=account,
        )
        match named:
            case "Replaces", other:
                call._replaces = other
            case "Join", other:
                Mixing(self.client, call, other)
        self.quota.enter(call.id, identity)
        self.client._enter(call)
        wiring.exchange.enter_incoming(call, tx, flow, source)
        if self.client._has_listener(IncomingCall):
            self.client._emit(IncomingCall(at=now, call=call))
        if not call._state_now().is_terminal:
            self.takers.offer(call)
        # Taken at once as a rule: only one that is left waiting needs the timer.
        call._expect_taker(self.client.config.untaken_timeout)

    def _identity_of(
        self, request: Message, event: SipEvent, user: str, *, is_trusted: bool
    ) -> str:
        if not self.quota.is_on:
            return ""
        return self.admission.identity_of(request, event, user=user, is_trusted=is_trusted)

    def _is_one_too_many(self, tx: int, identity: str, now: float) -> bool:
        """Refuse a call beyond what its identity may have."""
        wait = self.quota.refusal(identity, now)
        if wait is not None:
            # Not 503: whoever forwards would take this server out of use, for everybody's calls.
            self._respond(tx, 480, "Too Many Calls", (("Retry-After", str(wait)),))
        return wait is not None

    def _take_subscribe(self, event: SipEvent, request: Message) -> None:
        _, _, tx, _, _, _, flow, source = event
        is_of_refer = self.reports.concerns(request)
        if self.is_closed and not is_of_refer:
            self._respond(tx, 503, "Service Unavailable", self.retry_after)
            return
        account = self.attribution.account_of(request, source, flow)
        desk = self.reports if is_of_refer else self.watchers
        refusal = desk.take(event, request, account)
        if refusal is not None:
            self._respond(tx, *refusal)

    def _take_refer(self, event: SipEvent, request: Message) -> None:
        """Take a REFER beside the dialog of a call (RFC 4538); what names none is forbidden."""
        account = self.attribution.account_of(request, event[7], event[6])
        refusal = self.referrals.take(request, event, account)
        if refusal is not None:
            self._respond(event[2], *refusal)

    def _refusal(self, request: Message, offer: bytes) -> tuple[int, str, Headers] | None:
        """Return why a new call cannot be taken; None when it can."""
        limit = self.client.config.max_calls
        has_taker = self.takers.is_free or self.client._has_listener(IncomingCall)
        if (
            self.is_closed
            or not has_taker
            or (limit is not None and len(self.client._calls) >= limit)
        ):
            return 503, "Service Unavailable", self.retry_after
        if not offer and request.body:
            return 415, "Unsupported Media Type", (("Accept", ACCEPTED),)
        accepts = request.values("Accept")
        if accepts and not any(_accepts_sdp(value) for value in accepts):
            return 406, "Not Acceptable", (("Accept", ACCEPTED),)
        return None

    def _answer_options(self, tx: int) -> None:
        headers = (ALLOW, SUPPORTED, ("Accept", ACCEPTED), *self.watchers.allow_events)
        if self.is_closed or not (self.takers or self.client._has_listener(IncomingCall)):
            self._respond(tx, 503, "Service Unavailable", self.retry_after)
        else:
            self._respond(tx, 200, "OK", headers)

    def _take_message(self, event: SipEvent, request: Message, now: float) -> None:
        _, _, tx, _, _, _, flow, source = event
        self._respond(tx, 200, "OK")
        account = self.attribution.account_of(request, source, flow)
        way = (None if account is None else account.uri, flow, source)
        self.client._emit(message_event_untrusted(request, now, way))

    def _respond(self, tx: int, status: int, reason: str, headers: Headers = ()) -> None:
        self._wiring.exchange.respond(tx, status, reason, headers, to_tag=self._wiring.new_id())


def _accepts_sdp(value: str) -> bool:
    return without_parameters(value) in (SDP, "application/*", "*/*")


def _against_settings(request: Message, settings: CallSettings) -> tuple[int, str, Headers] | None:
    """Return how an INVITE is refused that asks for less than the settings demand, or None."""
    if settings.reliable_provisional == "required" and not takes_reliable(request)[0]:
        return 421, "Extension Required", (("Require", "100rel"),)
    too_short = interval_refusal(request, settings.min_session_expires)
    if too_short is not None:
        return 422, "Session Interval Too Small", too_short
    return None
