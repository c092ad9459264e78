"""REFERs whose senders subscribe by themselves to what becomes of them (RFC 7614 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import NameAddr, Uri
from trivox.client.watcher import Watcher
from trivox.errors import ParseError
from trivox.net.target import SECURE, is_sips
from trivox.sip.event_headers import read_event_untrusted
from trivox.sip.header_values import without_parameters
from trivox.sip.notifier import Publication
from trivox.sip.refer import REFER_EVENTS_AT, SIPFRAG
from trivox.sip.subscription_table import NotifierState
from trivox.sip.transfer import PACKAGE

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.call.referral import ReferralRequest, ReferralWay
    from trivox.client.account import Account
    from trivox.client.client import Client
    from trivox.client.watchers import Refusal, Watchers
    from trivox.client.wiring import Wiring
    from trivox.sip.outputs import Headers
    from trivox.sip.transfer import ReferNotify

MAX_SUBSCRIBERS: Final = 8
"""Who may be told of one REFER at a time; further ones get 503."""
_RETENTION: Final = 2
"""How often 64·T1 an outcome is kept (RFC 7614 §4.7): the SUBSCRIBE may come after it."""
_MARK: Final = "referral"
"""The parameter of our Contact that tells one REFER from the others."""
_ACCEPTABLE: Final = frozenset({SIPFRAG, "message/*", "*/*"})
_UNKNOWN: Final = (404, "Not Found", ())


@final
class Reports:
    """Knows what is told of each REFER, and puts who asks for it in touch with that."""

    def __init__(self, client: Client, wiring: Wiring, watchers: Watchers) -> None:
        self._client = client
        self._wiring = wiring
        self._watchers = watchers
        self._all: dict[str, KeptReports] = {}
        wiring.reports = self

    def __len__(self) -> int:
        """How many REFERs are told of, or were not long ago."""
        return len(self._all)

    def keep(self, way: ReferralWay) -> KeptReports | None:
        """Keep what will be told of a REFER; None if there is no room for it."""
        if len(self._all) >= self._client.config.max_subscriptions:
            return None
        # Who knows the name may know the rest (RFC 7614 §8), so nobody is to guess it.
        name = self._wiring.new_id()
        self._all[name] = kept = KeptReports(self, way, name)
        return kept

    def concerns(self, request: Message) -> bool:
        """Whether a SUBSCRIBE is about a REFER, one of those here or not."""
        if _name_untrusted(request) is not None:
            return True
        event = read_event_untrusted(request)
        is_asked_for = event is not None and event.package == PACKAGE
        return is_asked_for and PACKAGE not in self._client.config.event_packages

    def take(self, event: SipEvent, request: Message, account: Account | None) -> Refusal | None:
        """Take such a SUBSCRIBE, or return how it is refused (RFC 7614 §4.5).

        Who knows the URI is let in, under the rules that everybody's requests are.
        """
        kept = self._all.get(_name_untrusted(request) or "")
        if kept is None or not kept.is_told or not self._is_as_secure(kept, event[6]):
            return _UNKNOWN
        asked = read_event_untrusted(request)
        if asked is None or asked.package != PACKAGE:
            return 489, "Bad Event", (("Allow-Events", PACKAGE),)
        accepted = {without_parameters(value) for value in request.values("Accept")}
        if accepted and not accepted & _ACCEPTABLE:
            return 406, "Not Acceptable", (("Accept", SIPFRAG),)
        if kept.is_full:
            return 503, "Service Unavailable", self._wiring.retry_after
        watcher = self._watchers.admit(event, request, account)
        if not isinstance(watcher, Watcher):
            return watcher
        kept.tell(watcher)
        return None

    def _is_as_secure(self, kept: KeptReports, number: int) -> bool:
        """Whether what is told of at a `sips` URI is asked for by TLS, whatever URI is written."""
        flow = self._wiring.endpoint.flow(number)
        return not is_sips(kept.uri) or (flow is not None and flow.transport in SECURE)

    # The host of what is kept.

    def forget(self, name: str) -> None:
        """Keep nothing of that REFER any more."""
        self._all.pop(name, None)

    def forget_late(self, name: str) -> None:
        """Keep its outcome as long as a SUBSCRIBE to it may be on its way."""
        wiring = self._wiring
        wiring.call_at(
            wiring.now() + _RETENTION * wiring.exchange.linger, lambda: self.forget(name)
        )


@final
class KeptReports:
    """What is told of one REFER, and to whom.

    A `ReferralWay` around the way that the REFER came, which carries its answer and no report.
    """

    is_beside = True

    def __init__(self, desk: Reports, way: ReferralWay, name: str) -> None:
        self.named_by: Final = way.named_by
        self.contact: Final = way.contact
        self.is_direct: Final = way.is_direct
        self.uri: Final = f"{NameAddr.parse(way.contact).uri};{_MARK}={name}"
        self._desk = desk
        self._way = way
        self._name = name
        self._last: Publication | None = None
        self._is_over = False
        self._watchers: list[Watcher] = []

    @property
    def is_told(self) -> bool:
        """Whether there is anything to tell: since the program's yes."""
        return self._last is not None

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another subscriber."""
        self._watchers = [one for one in self._watchers if _is_there(one)]
        return len(self._watchers) >= MAX_SUBSCRIBERS

    def accept(self, headers: Headers, *, is_told: bool) -> None:
        """Answer 200, which says where to subscribe and makes no subscription (RFC 7614 §4.3)."""
        self._way.accept((*headers, (REFER_EVENTS_AT, f"<{self.uri}>")), is_told=False)

    def refuse(self, status: int, headers: Headers = ()) -> None:
        """Answer with a refusal; there is nothing to be told."""
        self._desk.forget(self._name)
        self._way.refuse(status, headers)

    def notify(self, notify: ReferNotify, request: ReferralRequest) -> bool:
        """Tell all that have subscribed, and keep it for those who will."""
        self._last = publication = Publication(notify.body, notify.content_type)
        self._is_over = notify.is_last
        watchers = self._watchers
        if notify.is_last:
            self._watchers = []
            self._desk.forget_late(self._name)
        for watcher in watchers:
            if notify.is_last:
                watcher._conclude(publication)
            elif _is_there(watcher):
                watcher._publish(publication)
        return True

    def tell(self, watcher: Watcher) -> None:
        """Tell a new subscriber how it stands; where the outcome is known, that is all."""
        assert self._last is not None, "who subscribes before there is anything is refused"
        if self._is_over:
            watcher._conclude(self._last)
        else:
            self._watchers.append(watcher)
            watcher._accept(self._last)


def _is_there(watcher: Watcher) -> bool:
    return watcher.state.value is not NotifierState.OVER


def _name_untrusted(request: Message) -> str | None:
    """Return which REFER a SUBSCRIBE is about; None if it does not say.

    Where our Contact is a GRUU, the Request-URI is what we have registered, and To is what the
    subscriber was given (RFC 5627 §5.1).
    """
    try:
        asked = Uri.parse(request.uri).parameters
        given = Uri.parse(NameAddr.parse(request.dialog()[4]).uri).parameters
    except ParseError:
        return None
    return asked.get(_MARK, given.get(_MARK))
