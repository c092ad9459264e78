"""Transfers of ours that are told of in a dialog of their own (RFC 7647 §4, RFC 7614 §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from trivox._native import EVENT_REQUEST, EVENT_RESPONSE, EVENT_TIMEOUT
from trivox.call._requests import try_in_dialog
from trivox.call.messages import SipResponse
from trivox.errors import (
    ConnectionNetworkError,
    ConnectionTimeoutError,
    TransportError,
    TrivoxError,
)
from trivox.net.target import is_sips
from trivox.sip.event_headers import EventName
from trivox.sip.outputs import Forget, Remember, SendRequest, SendResponse
from trivox.sip.party import permitted, unless_given
from trivox.sip.refer import SIPFRAG
from trivox.sip.replaces import TARGET_DIALOG, DialogName
from trivox.sip.subscriber import Notified, Subscriber
from trivox.sip.subscription import SubscriptionChanged, Wish
from trivox.sip.subscription_table import SubscriptionState
from trivox.sip.transfer import PACKAGE, SUBSCRIBED

if TYPE_CHECKING:
    from trivox._native import SipEvent
    from trivox.call.call import Call
    from trivox.call.host import Route, Timer
    from trivox.call.transfer import OutgoingTransfer
    from trivox.client.account import Account
    from trivox.client.subscriptions import Subscriptions
    from trivox.client.wiring import Wiring
    from trivox.sip.dialog import Dialog
    from trivox.sip.outputs import Headers
    from trivox.sip.subscriber import Outputs


async def refer_beside(
    wiring: Wiring,
    desk: Subscriptions,
    call: Call,
    account: Account | None,
    transfer: OutgoingTransfer,
    headers: Headers,
) -> None:
    """Send the REFER of a transfer out of the call's dialog, and follow it in its own.

    What goes wrong on the way is told to the transfer.

    Args:
        wiring: Sends, and keeps time.
        desk: Knows which NOTIFY belongs to whom.
        call: The call that is transferred.
        account: As whom.
        transfer: Settled by what comes back.
        headers: Of the REFER: Refer-To, and the program's.
    """
    if transfer.is_over:
        return  # without its call nobody would judge the target
    dialog = call._session.dialog if call._session is not None else None
    assert dialog is not None, "a connected call has its dialog"
    target, named_by = dialog.remote_target, wiring.exchange.hop_of(call)
    try:
        route = await wiring.routes.towards(target, account, call.settings, named_by)
    except (TrivoxError, OSError):
        if not transfer.is_over:
            # A GRUU that only its owner can reach: the way the call itself goes is left.
            try_in_dialog(call, "REFER", headers, b"", "", transfer)
        return
    if transfer.is_over:
        return  # the call has ended meanwhile
    wish = _wish(wiring, target, route, "REFER", _naming(dialog, route, headers))
    ReportDialog(wiring, desk, route, transfer, wish).begin()


async def follow_reports(
    wiring: Wiring,
    desk: Subscriptions,
    call: Call,
    account: Account | None,
    transfer: OutgoingTransfer,
    uri: str,
) -> None:
    """Subscribe to how a transfer goes, where the answer to its REFER said (RFC 7614 §4.4).

    What goes wrong on the way is told to the transfer.

    Args:
        wiring: Sends, and keeps time.
        desk: Knows which NOTIFY belongs to whom.
        call: The call that is transferred.
        account: As whom.
        transfer: Told of it.
        uri: As the far end named it: judged like any other target the network names.
    """
    if transfer.is_over:
        return
    named_by = wiring.exchange.hop_of(call)
    try:
        if call._route is not None and call._route.is_secure and not is_sips(uri):
            raise ConnectionNetworkError("the far end of a sips call tells it in the clear")
        route = await wiring.routes.towards(
            uri, account, call.settings, named_by, method="SUBSCRIBE"
        )
    except (TrivoxError, OSError) as error:
        transfer.lose(str(error))
        return
    if transfer.is_over:
        return  # the call has ended meanwhile
    wish = _wish(wiring, uri, route, "SUBSCRIBE", route.identity.headers)
    ReportDialog(wiring, desk, route, transfer, wish).begin()


def _naming(dialog: Dialog, route: Route, headers: Headers) -> Headers:
    """Return the headers of a REFER beside the dialog, which it names."""
    identity = route.identity
    # Who would not know the header would refuse as it refuses strangers (RFC 4538 §3).
    named: Headers = (
        ("Target-Dialog", DialogName.of_far_end(dialog).as_target()),
        ("Require", TARGET_DIALOG),
    )
    return (
        *named,
        *unless_given(identity.headers, headers),
        *permitted(headers, is_trusted=identity.is_trusted),
    )


def _wish(wiring: Wiring, target: str, route: Route, method: str, headers: Headers) -> Wish:
    new_id = wiring.new_id
    return Wish(
        identity=route.identity,
        target=target,
        event=EventName(PACKAGE),
        call_id=new_id(),
        local_tag=new_id(),
        cnonce=new_id(),
        jitter=new_id.fraction(),
        expires=round(SUBSCRIBED),
        accept=(SIPFRAG,),
        headers=headers,
        method=method,
    )


@final
class ReportDialog:
    """One subscription to how a transfer goes; gets the events of its token.

    It is made by a REFER beside the call, whose answer is the transfer's, or by a SUBSCRIBE. It
    outlives the transfer by what is needed to end the subscription in good order.
    """

    def __init__(
        self,
        wiring: Wiring,
        desk: Subscriptions,
        route: Route,
        transfer: OutgoingTransfer,
        wish: Wish,
    ) -> None:
        self._wiring = wiring
        self._desk = desk
        self._route = route
        self._transfer = transfer
        self._machine = Subscriber(wish)
        self._is_refer = wish.method == "REFER"
        self._name: Final = (wish.call_id, wish.local_tag)
        self._token = wiring.exchange.new_token()
        self._tx = 0
        self._is_answered = not self._is_refer
        self._is_silent = False
        self._is_released = False
        self._timer: Timer | None = None
        self._stands = SubscriptionChanged(self._machine.state)
        transfer.on_over = self._leave_soon

    def begin(self) -> None:
        """Send what begins it."""
        self._wiring.exchange.enter(self._token, self)
        self._desk.expect(self._name, self)
        self._carry_out(self._machine.subscribe(self._wiring.now()))

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take an event that carries its token, or a NOTIFY that overtook the answer."""
        if self._is_released:
            return
        is_final = not self._is_answered and self._is_final(event)
        outputs = self._machine.handle(event, now)
        if is_final and not any(isinstance(output, SendRequest) for output in outputs):
            self._is_answered = True
            self._tell(event)
        self._carry_out(outputs)

    def abandon(self) -> None:
        """Let it go: the client closes and waits no longer."""
        self._release()

    def _is_final(self, event: SipEvent) -> bool:
        kind, _, tx, _, status, *_ = event
        return (
            kind != EVENT_REQUEST and tx == self._tx and (kind != EVENT_RESPONSE or status >= 200)
        )

    def _tell(self, event: SipEvent) -> None:
        """Tell the transfer what became of its REFER; one that is over does not listen."""
        kind, _, _, _, _, message, _, _ = event
        if self._transfer.is_over:
            return
        if kind == EVENT_RESPONSE and message is not None:
            response = SipResponse.from_message(message)
            said = response.headers.get("Refer-Sub", "").strip().lower()
            self._is_silent = said.startswith("false")
            self._transfer.resolve(response)
        elif kind == EVENT_TIMEOUT:
            self._transfer.fail(ConnectionTimeoutError("no response to the REFER"))
        else:
            self._transfer.fail(TransportError("the REFER could not be sent"))

    def _carry_out(self, outputs: Outputs) -> None:
        wiring = self._wiring
        for output in outputs:
            match output:
                case SendRequest():
                    tx = wiring.exchange.send(self._token, self._route, output)
                    self._tx = tx if output.to_tag is None else self._tx
                    self._machine.sent(tx)
                case SendResponse():
                    wiring.endpoint.respond(output, token=self._token)
                case Remember():
                    wiring.endpoint.remember(output, token=self._token)
                case Forget():
                    wiring.endpoint.forget(output)
                case Notified(message=message):
                    if not self._transfer.is_over:
                        self._transfer.take_notify(message)
                case _:
                    self._stands = output
        if self._machine.state is SubscriptionState.TERMINATED:
            self._release()
            self._tell_end()
        else:
            self._keep_time()

    def _tell_end(self) -> None:
        """Tell a transfer that has heard no outcome that it will hear none here."""
        if self._transfer.is_over:
            return
        if not self._is_answered:
            self._transfer.fail(ConnectionTimeoutError("no response to the REFER"))
        elif not self._is_refer:
            status, why = self._stands.status, self._stands.reason or "it ran out"
            how = f"was refused ({status})" if status else f"is over: {why}"
            self._transfer.lose(f"the subscription to it {how}")

    def _keep_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._machine.next_deadline()
        self._timer = None if deadline is None else self._wiring.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._carry_out(self._machine.handle_timeout(self._wiring.now()))

    def _leave_soon(self) -> None:
        """End the subscription once what is being handled is: as a rule the far end has ended it."""
        self._wiring.call_at(self._wiring.now(), self._leave)

    def _leave(self) -> None:
        if self._is_silent:
            self._release()  # no subscription was made (RFC 4488 §4)
        elif not self._is_released:
            self._carry_out(self._machine.unsubscribe(self._wiring.now()))

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._is_released:
            self._is_released = True
            self._desk.expect_no_more(self._name)
            self._wiring.exchange.release(self._token)
