"""REFERs that come beside the dialog they are about (RFC 4538, RFC 7647 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from trivox.call.messages import reason_of
from trivox.errors import ConnectionNetworkError, ParseError
from trivox.net.target import SECURE
from trivox.sip.notifier import Notifier, Publication
from trivox.sip.outputs import Forget, SendRequest, SendResponse
from trivox.sip.replaces import target_dialog_untrusted
from trivox.sip.subscription_table import NotifierState

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.call.call import Call
    from trivox.call.host import Route, Timer
    from trivox.call.referral import ReferralRequest
    from trivox.client.account import Account
    from trivox.client.client import Client
    from trivox.client.wiring import Wiring
    from trivox.net.transport import Address
    from trivox.sip.notifier import Outputs
    from trivox.sip.outputs import Headers
    from trivox.sip.replaces import DialogName
    from trivox.sip.transfer import ReferNotify

    Refusal = tuple[int, str, Headers]

_FORBIDDEN = (403, "Forbidden", ())


@final
class Referrals:
    """Knows the subscriptions that such REFERs have made; finds the call each REFER names."""

    def __init__(self, client: Client, wiring: Wiring) -> None:
        self._client = client
        self._wiring = wiring
        self._all: set[ReferralBeside] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def take(self, request: Message, event: SipEvent, account: Account | None) -> Refusal | None:
        """Put a REFER before the call it is about, or return how it is refused."""
        call = self._named(request, event)
        if isinstance(call, tuple):
            return call
        if len(self._all) >= self._client.config.max_subscriptions:
            return 503, "Service Unavailable", self._wiring.retry_after
        try:
            route = self._wiring.routes.back(request, event, account)
        except (ConnectionNetworkError, OSError):
            return 503, "Service Unavailable", ()
        way = ReferralBeside(self, self._wiring, request, event, route)
        self._all.add(way)
        call._transferring().consider(way, request)
        return None

    def leave(self, way: ReferralBeside) -> None:
        """Forget one that is over."""
        self._all.discard(way)

    def _named(self, request: Message, event: SipEvent) -> Call | Refusal:
        """Return the call a REFER is about, or how it is refused.

        Who names both tags has them from the call itself (RFC 4538 §4). Who does not is told the
        same whether it names a call or none: there is nothing to be guessed.
        """
        try:
            name = target_dialog_untrusted(request)
        except ParseError:
            return 400, "Bad Request", ()
        if name is None:
            # A call is referred by who is in it: nobody here follows a stranger.
            return _FORBIDDEN
        calls = self._client._calls_by(name.call_id)
        call = next((call for call in calls if _is_meant(call, name)), None)
        if call is None or not self._is_as_secure(call, event[6]):
            return _FORBIDDEN
        return call

    def _is_as_secure(self, call: Call, number: int) -> bool:
        """Whether a REFER came by TLS if the call it names did (RFC 4538 §4)."""
        flow = self._wiring.endpoint.flow(number)
        is_secure = call._route is not None and call._route.is_secure
        return not is_secure or (flow is not None and flow.transport in SECURE)


def _is_meant(call: Call, name: DialogName) -> bool:
    """Whether that dialog is the call's: branches that did not win have no say in it."""
    if call.sip_call_id != name.call_id or call._session is None:
        return False
    dialog = call._session.dialog
    return dialog is not None and name.is_of(dialog)


@final
class ReferralBeside:
    """The dialog that such a REFER makes: its answer, its NOTIFYs, its end.

    A `ReferralWay`; gets the events of its token. It lives until the outcome is told, the far end
    leaves or cannot be reached, or its time is over.
    """

    is_beside = True

    def __init__(
        self, desk: Referrals, wiring: Wiring, request: Message, event: SipEvent, route: Route
    ) -> None:
        _, _, self._tx, _, _, _, flow, source = event
        self.named_by: tuple[int, Address] = (flow, source)
        self._desk = desk
        self._wiring = wiring
        self._route = route
        self._records = request.dialog()[6]
        self._local_tag = wiring.new_id()
        self._machine = Notifier(
            request,
            self._tx,
            identity=route.identity,
            local_tag=self._local_tag,
            cnonce=wiring.new_id(),
        )
        self._token = wiring.exchange.new_token()
        self._request: ReferralRequest | None = None
        self._timer: Timer | None = None
        self._is_released = False
        wiring.exchange.enter(self._token, self)

    @property
    def contact(self) -> str:
        """Our Contact, as in its answer."""
        return self._route.identity.contact

    @property
    def is_direct(self) -> bool:
        """Whether no proxy has put itself on the way of the REFER."""
        return not self._records

    def accept(self, headers: Headers, *, is_told: bool) -> None:
        """Answer 200; where something is told, together with the first NOTIFY."""
        if not is_told:
            contact = ("Contact", self._route.identity.contact)
            self._answer(200, (contact, *headers))

    def refuse(self, status: int, headers: Headers = ()) -> None:
        """Answer with a refusal: no subscription was made."""
        self._answer(status, headers)

    def notify(self, notify: ReferNotify, request: ReferralRequest) -> bool:
        """Tell how the new call goes; False when nobody listens any more."""
        if self._is_released:
            return False
        self._request = request
        told, now = Publication(notify.body, notify.content_type), self._wiring.now()
        if self._machine.state is NotifierState.OFFERED:
            self._carry_out(self._machine.accept(told, now))
        elif notify.is_last:
            self._request = None
            self._carry_out(self._machine.conclude(told, now))
        else:
            self._carry_out(self._machine.publish(told, now))
        return True

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries its token."""
        self._carry_out(self._machine.handle(event, now))

    def abandon(self) -> None:
        """Let it go: the client closes and waits no longer."""
        self._release()

    def _answer(self, status: int, headers: Headers) -> None:
        reason = reason_of(status)
        answer = SendResponse(self._tx, status, reason, headers, b"", self._local_tag)
        self._wiring.endpoint.respond(answer, token=0)
        self._release()

    def _carry_out(self, outputs: Outputs) -> None:
        wiring = self._wiring
        for output in outputs:
            match output:
                case SendRequest():
                    tx = wiring.exchange.send(self._token, self._route, output)
                    self._machine.sent(tx)
                case SendResponse():
                    token = self._token if output.status < 300 else 0
                    wiring.endpoint.respond(output, token=token)
                case Forget():
                    wiring.endpoint.forget(output)
                case _:
                    pass  # that it is over is seen below
        if self._machine.is_done:
            self._release()
        else:
            self._keep_time()

    def _keep_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.next_deadline()
        self._timer = None if deadline is None else self._wiring.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._carry_out(self._machine.handle_timeout(self._wiring.now()))

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._is_released:
            return
        self._is_released = True
        self._wiring.exchange.release(self._token)
        self._desk.leave(self)
        request, self._request = self._request, None
        if request is not None:
            request.fail(ConnectionNetworkError("nobody listens to how the transfer goes"))
