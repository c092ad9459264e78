"""What every part of a call works on: its state, its session, and the parts made so far."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import trio

from trivox.actor.receipt import OpenReceipt
from trivox.call import _requests as requests
from trivox.call._data import settle_data
from trivox.call._describing import BranchOffers
from trivox.call._engine_events import report_statistics, take_engine_event
from trivox.call._far_changes import withdraw_upgrade
from trivox.call._gathering import CallGathering
from trivox.call._offers import OfferLine
from trivox.call._redirecting import Redirecting
from trivox.call._transfer import Transfers
from trivox.call._video import settle_video
from trivox.call._wishes import catch_up, end_stream, take_settings, tell_music_failed
from trivox.call.data_events import DataChannelOpened
from trivox.call.events import CallEnd, EndReason, Originator
from trivox.call.farewell import Farewell
from trivox.call.leg_data import LegData
from trivox.call.leg_video import LegVideo
from trivox.call.local_audio import LocalAudio
from trivox.call.media_leg import MediaLeg
from trivox.call.messages import SipResponse, reason_of
from trivox.call.renegotiation import Renegotiation
from trivox.call.states import LEAVING, CallState, Phase, Trigger
from trivox.errors import CallInternalError, CallWrongDirectionError, CallWrongStateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox.actor.receipt import Receipt
    from trivox.call.call import Call
    from trivox.call.data_channel import DataChannel
    from trivox.call.events import Event
    from trivox.call.host import AccountFace, CallHost
    from trivox.call.messages import Headers as ReceivedHeaders
    from trivox.call.quality import QualityIssue, QualityLevel
    from trivox.call.settings import CallSettings
    from trivox.call.states import CallDirection
    from trivox.call.upgrade import UpgradeRequest
    from trivox.net.transport import Address
    from trivox.sip.outputs import Headers


_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class CallCore(CallGathering):
    """A call without its face: what its parts see of it, and of each other.

    A part is a module of functions, or an object where it has something to remember; that is made
    when it is first needed, as most calls are never redirected, transferred or joined.
    """

    __slots__ = (
        "_audio", "_branches", "_changes", "_farewell", "_first_headers", "_is_taken", "_joins", "_leg",
        "_listener_error", "_named_by", "_receipts", "_redirections", "_remote_offer", "_remote_videos",
        "_replaces", "_route", "_session", "_session_deadline", "_tones", "_transfers",
        "_upgrade", "quality_issues",
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
        self._receipts = {}
        self._forget_parts()
        self._remote_videos = _NOTHING
        self.quality_issues: Mapping[QualityIssue, QualityLevel] = _NOTHING
        """What is wrong with the media now, as `QualityIssueRaised` told."""
        self._listener_error: Exception | None = None
        take_settings(self)
        if settings.mute_audio:
            self._leg.is_muted = True
            self._tell(is_microphone_muted=True)

    def _forget_parts(self) -> None:
        """Have none of the parts that are made at the first need."""
        self._audio: LocalAudio | None = None
        self._changes: Renegotiation | None = None
        self._upgrade: UpgradeRequest | None = None
        self._branches: BranchOffers | None = None
        self._redirections: Redirecting | None = None
        self._transfers: Transfers | None = None
        self._tones: requests.InfoTones | None = None

    # Parts, made at the first need.

    def _local_audio(self) -> LocalAudio:
        if self._audio is None:
            self._audio = self._leg.audio = LocalAudio(
                self._leg,
                self._own_stream(),
                partial(end_stream, self),
                partial(tell_music_failed, self),
                self._video,
                receives=self.settings.receive_audio,
            )
        return self._audio

    def _renegotiation(self) -> Renegotiation:
        if self._changes is None:
            self._changes = Renegotiation(OfferLine(self), self._local_audio())
        return self._changes

    def _video(self) -> LegVideo:
        if self._leg.video is None:
            codecs = self.settings.ordered_video_codecs
            self._leg.video = LegVideo(self._leg, codecs, partial(end_stream, self))
        return self._leg.video

    def _data(self) -> LegData:
        if self._leg.data is None:
            self._leg.data = LegData(self._leg, self._tell_channel)
        return self._leg.data

    def _tell_channel(self, channel: DataChannel) -> None:
        self._emit(DataChannelOpened, Originator.REMOTE, channel=channel)

    def _branching(self) -> BranchOffers:
        if self._branches is None:
            self._branches = BranchOffers(self)
        return self._branches

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

    # What is refused to the program.

    def _refuse_unconnected(self, what: str) -> None:
        self._refuse_ended()
        if self._state_now() is CallState.RECONNECTING:
            raise self._reconnecting(what)
        if self._phase is not Phase.CONNECTED:
            raise self._wrong_state(f"{what} needs a connected call", CallState.CONNECTED)
        if self._session is None:
            raise CallInternalError("a connected call has no session", call_id=self.id)

    def _refuse_direction(self, needed: CallDirection, what: str) -> None:
        if self.direction is not needed:
            raise CallWrongDirectionError(f"{what} is for {needed} calls", call_id=self.id)

    def _refuse_phase(self, message: str, needed: Phase) -> None:
        if self._phase is not needed:
            raise self._wrong_state(message)

    # How it ends.

    async def _checkpoint_or_leave(self, status: int = 480) -> None:
        try:
            await trio.lowlevel.checkpoint()
        except BaseException:
            self._refuse(status)
            raise

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

    def _has_listener(self, kind: type[Event]) -> bool:
        """Whether somebody listens to, subscribed to or waits for such events."""
        return self._emitter is not None and self._emitter.wants(kind)

    # What the steps of a call ask of its parts, in their order.

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take an event of this call's media session; the engine's drain task calls it."""
        take_engine_event(self, kind, number, text)

    def _go_on(self) -> None:
        if self._changes is not None:
            self._changes.go_on()

    def _note_negotiated(self) -> None:
        super()._note_negotiated()
        leg = self._leg
        if leg.video is not None:
            settle_video(self)
        if leg.data is not None:
            settle_data(self)
        if leg.is_ice:
            self._settle_candidates()

    def _begin_media(self) -> None:
        self._leg.begin_flow()
        if self.settings.max_duration is not None:
            self._after("duration", self.settings.max_duration, self._expire)
        if self.settings.report_stats:
            self._after(
                "statistics", self.settings.stats_interval, partial(report_statistics, self)
            )
        if self._audio is not None:
            catch_up(self)
            self._go_on()  # what an early dialog could not be asked for
        if self._transfers is not None:
            self._transfers.take_overtaken()

    def _release_media(self) -> None:
        self._leg.release()

    def _settle_requests(self) -> None:
        if self._upgrade is not None:
            withdraw_upgrade(self)
        if self._changes is not None:
            self._changes.close(self._ended_error())
        for receipt in self._receipts.values():
            receipt.fail(self._ended_error())
        self._receipts.clear()
        if self._transfers is not None:
            self._transfers.close(self._ended_error())
        if self._tones is not None:
            self._tones.close()
        self._forget_parts()
