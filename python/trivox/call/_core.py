"""What every part of a call works on: its state, its session, and the parts made so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.actor.receipt import OpenReceipt
from trivox.call import _requests as requests
from trivox.call._early import CallEarly
from trivox.call._redirecting import Redirecting
from trivox.call._transfer import Transfers
from trivox.call.events import CallEnd, EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.media_leg import MediaLeg
from trivox.call.messages import SipResponse, reason_of
from trivox.call.states import LEAVING, Phase, Trigger
from trivox.errors import CallWrongStateError

if TYPE_CHECKING:
    from trivox.actor.receipt import Receipt
    from trivox.call.call import Call
    from trivox.call.host import AccountFace, CallHost
    from trivox.call.messages import Headers as ReceivedHeaders
    from trivox.call.settings import CallSettings
    from trivox.call.states import CallDirection
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers


class CallCore(CallEarly):
    """A call without its face: what its parts see of it, and of each other.

    A part is a module of functions, or an object where it has something to remember; that is made
    when it is first needed, as most calls are never redirected, transferred or joined.
    """

    __slots__ = (
        "_audio", "_changes", "_farewell", "_first_headers", "_is_taken", "_joins", "_leg",
        "_listener_error", "_named_by", "_receipts", "_redirections", "_remote_offer",
        "_replaces", "_route", "_session", "_session_deadline", "_tones", "_transfers",
        "_upgrade",
    )  # fmt: skip

    def __init__(
        self,
        host: CallHost,
        *,
        id: str,  # noqa: A002 (the reference's name)
        token: int,
        direction: CallDirection,
        destination: str,
        sip_call_id: str,
        settings: CallSettings,
        account: AccountFace | None,
    ) -> None:
        super().__init__(
            host,
            id=id,
            token=token,
            direction=direction,
            destination=destination,
            sip_call_id=sip_call_id,
            settings=settings,
            account=account,
        )
        self._leg = MediaLeg(host.media, self, host.start_soon)
        self._session = None
        self._session_deadline = None
        self._route = None
        self._farewell = Farewell()
        self._is_taken = False
        self._remote_offer = b""
        self._first_headers: ReceivedHeaders | None = None
        self._named_by: tuple[int, Address] | None = None
        """Flow and source of the message that named this call's target; None: the program did."""
        self._replaces: Call | None = None
        self._joins: Call | None = None
        self._audio = None
        self._changes = None
        self._upgrade = None
        self._redirections = None
        self._transfers = None
        self._receipts = {}
        self._tones = None
        self._listener_error: Exception | None = None
        self._take_settings()
        if settings.mute_audio:
            self._leg.is_muted = True
            self._tell(is_microphone_muted=True)

    # Parts, made at the first need.

    def _redirecting(self) -> Redirecting:
        if self._redirections is None:
            self._redirections = Redirecting(self)
        return self._redirections

    def _transferring(self) -> Transfers:
        if self._transfers is None:
            self._transfers = Transfers(self)
        return self._transfers

    def _info_tones(self) -> requests.InfoTones:
        if self._tones is None:
            self._tones = requests.InfoTones(self._send_relay, self._after, self._ended_error)
        return self._tones

    # Requests within the dialog.

    def _request(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        content_type: str,
        receipt: OpenReceipt[SipResponse] | None = None,
    ) -> Receipt[SipResponse]:
        assert self._session is not None, "a connected call has its session"
        receipt = receipt or OpenReceipt(judge=requests.judge_response)
        (transaction,) = self._carry_out(
            (self._session.request(method, headers, body, content_type),)
        )
        self._receipts[transaction] = receipt
        return receipt

    def _try_request(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        content_type: str,
        outcome: requests.Outcome[SipResponse],
    ) -> bool:
        """Send a request in the dialog; False when there is none any more."""
        assert self._session is not None, "a call that is connected or was has its session"
        try:
            request = self._session.request(method, headers, body, content_type)
        except CallWrongStateError:
            return False
        (transaction,) = self._carry_out((request,))
        self._receipts[transaction] = outcome
        return True

    def _send_relay(self, body: bytes) -> None:
        if self._phase is Phase.CONNECTED:
            self._request("INFO", (), body, requests.RELAY)

    # How it ends.

    def _leave(
        self,
        why: EndReason,
        farewell: Farewell,
        originator: Originator = Originator.LOCAL,
        trigger: Trigger = Trigger.HANGUP,
    ) -> None:
        if self._state_now().is_terminal or self._phase in LEAVING:
            return
        is_unanswered = self._phase in (Phase.IN_CREATED, Phase.IN_ANSWERING)
        self._farewell = farewell
        self._cause = CallEnd(
            reason=why,
            originator=originator,
            sip_code=farewell.status if is_unanswered else 0,
            sip_reason=reason_of(farewell.status) if is_unanswered else "",
        )
        self._step(trigger)

    def _refuse(self, status: int, headers: Headers = (), *, is_untaken: bool = False) -> None:
        """End the call for the client: nobody took it, its handler left or failed, or it closes."""
        if self.end is not None:
            return
        self._leave(
            EndReason.LOCAL_ENDED,
            Farewell(status, headers),
            Originator.SYSTEM if is_untaken else Originator.LOCAL,
            Trigger.UNTAKEN if is_untaken else Trigger.HANGUP,
        )

    def _expire(self) -> None:
        if self._phase is not Phase.CONNECTED:
            return
        self._cause = CallEnd(
            reason=EndReason.LOCAL_ENDED, originator=Originator.SYSTEM, sip_reason="max_duration"
        )
        self._step(Trigger.EXPIRED)

    # What the steps of a call ask of its parts, in their order.

    def _note_negotiated(self) -> None:
        super()._note_negotiated()
        leg = self._leg
        if leg.video is not None:
            self._settle_video()
        if leg.data is not None:
            self._settle_data(leg.data)
        if leg.is_ice:
            self._settle_candidates()

    def _begin_media(self) -> None:
        self._leg.begin_flow()
        if self.settings.max_duration is not None:
            self._after("duration", self.settings.max_duration, self._expire)
        if self.settings.report_stats:
            self._after("statistics", self.settings.stats_interval, self._report_statistics)
        if self._audio is not None:
            self._catch_up()
            self._go_on()  # what an early dialog could not be asked for
        if self._transfers is not None:
            self._transfers.take_overtaken()

    def _release_media(self) -> None:
        self._leg.release()

    def _settle_requests(self) -> None:
        if self._upgrade is not None:
            self._withdraw_upgrade()
        if self._changes is not None:
            self._changes.close(self._ended_error())
            self._changes = None
        self._audio = None
        for receipt in self._receipts.values():
            receipt.fail(self._ended_error())
        self._receipts.clear()
        if self._transfers is not None:
            self._transfers.close(self._ended_error())
            self._transfers = None
        self._redirections = None
        if self._tones is not None:
            self._tones.close()
            self._tones = None
