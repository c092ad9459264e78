"""What every part of a call works on: its state, its session, and the parts made so far."""

from __future__ import annotations

import logging
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from trivox.actor.correlation import log_fields
from trivox.call._describing import BranchOffers
from trivox.call._endings import end_signalling
from trivox.call._engine_events import take_engine_event
from trivox.call._facts import take_fact
from trivox.call._offers import OfferLine
from trivox.call._parts import begin_media
from trivox.call._publishing import PUBLISHED, note_end
from trivox.call._redirecting import Redirecting
from trivox.call._transfer import Transfers
from trivox.call._upkeep import keep_deadline
from trivox.call._values import CallValues
from trivox.call._wishes import end_stream, take_settings, tell_music_failed
from trivox.call.data_events import DataChannelOpened
from trivox.call.events import Originator
from trivox.call.farewell import Farewell
from trivox.call.ice_servers import IcePlaces
from trivox.call.leg_data import LegData
from trivox.call.leg_video import LegVideo
from trivox.call.local_audio import LocalAudio
from trivox.call.media_leg import MediaLeg
from trivox.call.messages import SipResponse, reason_of
from trivox.call.renegotiation import Renegotiation
from trivox.call.states import IGNORED, TABLE, Action, CallState, Phase, Trigger
from trivox.errors import CallInternalError, CallWrongDirectionError
from trivox.sip.outputs import Forget, SendAck, SendCancel, SendRequest, SendResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trivox._native import SipEvent
    from trivox.call._requests import InfoTones, Outcome
    from trivox.call.call import Call
    from trivox.call.data_channel import DataChannel
    from trivox.call.events import Event
    from trivox.call.host import AccountFace, CallHost, Route
    from trivox.call.messages import Headers as ReceivedHeaders
    from trivox.call.quality import QualityIssue, QualityLevel
    from trivox.call.settings import CallSettings
    from trivox.call.states import CallDirection
    from trivox.call.upgrade import UpgradeRequest
    from trivox.net.transport import Address
    from trivox.sip import events as facts
    from trivox.sip.invite_session import InviteSession
    from trivox.sip.outputs import Headers


_NO_PLACES: Final = IcePlaces()
_LOGGER: Final = logging.getLogger("trivox.call")
_WITHOUT_ANSWER: Final = (SendAck, SendCancel)
"""Their transaction is the INVITE's: `isinstance` takes a tuple in half the time of a union."""
# Python 3.11 takes longer to find a member of an enum than all else in a step.
_END_SIGNALLING: Final = Action.END_SIGNALLING
_RELEASE_MEDIA: Final = Action.RELEASE_MEDIA
_CONNECT: Final = Action.CONNECT
_FINISH: Final = Action.FINISH
_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class CallCore(CallValues):
    """A call without its face: what its parts see of it, and of each other.

    A part is a module of functions, or an object where it has something to remember; that is made
    when it is first needed, as most calls are never redirected, transferred or joined.
    """

    __slots__ = (
        "_audio", "_branches", "_changes", "_farewell", "_first_headers", "_is_taken", "_joins",
        "_leg", "_listener_error", "_named_by", "_places", "_receipts", "_redirections",
        "_remote_offer", "_remote_videos", "_replaces", "_route", "_session",
        "_session_deadline", "_tones", "_transfers", "_upgrade", "quality_issues",
    )  # fmt: skip

    def __init__(
        self,
        host: CallHost,
        id: str,  # noqa: A002 (the reference's name)
        token: int,
        direction: CallDirection,
        destination: str,
        sip_call_id: str,
        settings: CallSettings,
        account: AccountFace | None,
    ) -> None:
        super().__init__(host, id, token, direction, destination, sip_call_id, settings, account)
        self._leg = MediaLeg(host.media, self, host.start_soon)
        self._session: InviteSession | None = None
        self._session_deadline: float | None = None
        self._route: Route | None = None
        self._farewell = Farewell()
        self._is_taken = False
        self._remote_offer = b""
        self._first_headers: ReceivedHeaders | None = None
        self._named_by: tuple[int, Address] | None = None
        """Flow and source of the message that named this call's target; None: the program did."""
        self._replaces: Call | None = None
        self._joins: Call | None = None
        self._receipts: dict[int, Outcome[SipResponse]] = {}
        self._forget_parts()
        self._remote_videos = _NOTHING
        self._places = _NO_PLACES
        """Where servers for ICE were found."""
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
        self._tones: InfoTones | None = None

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

    # Steps through the table of `trivox.call.states`.

    def _step(self, trigger: Trigger) -> None:
        """Take a trigger; one raised within a step waits until that step is complete."""
        if self._is_stepping or self._triggers:
            self._triggers.append(trigger)
            if self._is_stepping:
                return
        else:
            self._take(trigger)
        while self._triggers:
            self._take(self._triggers.pop(0))

    def _take(self, trigger: Trigger) -> None:
        go = TABLE[self._phase].get(trigger)
        if go is None:
            if trigger not in IGNORED[self._phase]:
                _LOGGER.error(
                    "call %s: %s in %s is in no table",
                    self.id,
                    trigger,
                    self._phase,
                    extra=log_fields(self.id),
                )
            return
        self._phase = go.to
        if go.actions:
            self._act(go.actions)
        if self._watchables:
            self._tell("state")
        if go.actions:
            self._publications += go.actions
            self._publish_all()
            self._wake()

    def _act(self, actions: tuple[Action, ...]) -> None:
        """Do what belongs to a step itself; what it sets off is taken after it."""
        self._is_stepping = True
        try:
            if _END_SIGNALLING in actions:
                end_signalling(self)
            if _RELEASE_MEDIA in actions:
                self._leg.release()
            if _CONNECT in actions:
                self.timings.connected = self._now()
                begin_media(self)
        finally:
            self._is_stepping = False
        if _FINISH in actions:
            note_end(self)

    def _wake(self) -> None:
        """Wake who waits for what has happened; each looks for itself."""
        if self._until_connected is not None:
            self._until_connected.unpark_all()
        if self._until_ended is not None and self.end is not None:
            self._until_ended.set()

    def _publish_all(self) -> None:
        """Tell of each step in turn: what a listener sets off is told after what it heard of."""
        if self._is_publishing:
            return
        self._is_publishing = True
        try:
            while self._publications:
                publish = PUBLISHED.get(self._publications.pop(0))
                if publish is not None:
                    publish(self)
        finally:
            self._is_publishing = False

    def _after(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Act after so many seconds, unless the call ends or it is withdrawn before."""
        self._withdraw(name)
        self._timers[name] = self._host.call_at(self._now() + seconds, act)

    def _withdraw(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # The way to its session.

    def handle_sip(self, event: SipEvent, now: float) -> None:
        """Take one event that carries this call's token; the client's drain calls it."""
        assert self._session is not None, "a call without session has no token at the core"
        self._carry_out(self._session.handle(event, now))
        if self._leg.trickling is not None:
            self._leg.trickling.go_on()  # what it waited for may have been this

    def _carry_out(self, outputs: tuple[facts.SessionOutput, ...]) -> list[int]:
        """Do what the session asks, then take what it tells; returns the transactions begun."""
        begun = []
        told: list[facts.SessionFact] = []
        for output in outputs:
            if isinstance(output, SendResponse):
                self._host.respond(output, token=self.token)
            elif isinstance(output, Forget):
                self._host.forget(output)
            elif isinstance(output, SendRequest):
                transaction = self._host.send(self._face, output)
                assert self._session is not None, "its own session asked for it"
                self._session.sent(transaction)
                begun.append(transaction)
            elif isinstance(output, _WITHOUT_ANSWER):
                self._host.send(self._face, output)
            else:
                told.append(output)
        for fact in told:
            take_fact(self, fact)
        keep_deadline(self)
        return begun

    def _respond(
        self,
        tx: int,
        status: int,
        *,
        headers: Headers = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        assert self._session is not None, "its own session told of the request"
        response = self._session.respond(
            tx, status, reason_of(status), headers=headers, body=body, content_type=content_type
        )
        self._carry_out((response,))

    # What is refused to the program.

    def _refuse_reconnecting(self, what: str) -> None:
        """Raise CallReconnectingError while a path is lost."""
        if self._lost_paths and self._state_now() is CallState.RECONNECTING:
            raise self._reconnecting(what)

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

    def _has_listener(self, kind: type[Event]) -> bool:
        """Whether somebody listens to, subscribed to or waits for such events."""
        return self._emitter is not None and self._emitter.wants(kind)

    def handle_engine_event(self, kind: int, number: float, text: str) -> None:
        """Take an event of this call's media session; the engine's drain task calls it."""
        take_engine_event(self, kind, number, text)

    def _go_on(self) -> None:
        if self._changes is not None:
            self._changes.go_on()
