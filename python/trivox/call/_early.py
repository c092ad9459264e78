"""What an incoming call says before it is answered: progress, and early media."""

from __future__ import annotations

import logging
from abc import abstractmethod
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from trivox.actor.correlation import log_fields
from trivox.call._gathering import CallGathering
from trivox.call._listening import CallListening
from trivox.call.events import EarlyMediaStarted, Originator
from trivox.call.header_rules import HeaderArguments, checked_headers
from trivox.call.messages import reason_of
from trivox.call.settings import DEFAULT_OFFERED_MEDIA
from trivox.call.states import CallDirection, Phase, Trigger
from trivox.call.streams import checked_streams
from trivox.call.transports import TransportChoice, choice_for_answer, choice_for_offer
from trivox.errors import (
    AudioStreamRequiredError,
    CallWrongDirectionError,
    EngineError,
    EngineExhaustedError,
    InvalidArgumentsError,
    MediaNegotiationError,
    StreamError,
)
from trivox.sip.bodies import SDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trivox.call.streams import LocalStream
    from trivox.sip.outputs import Headers

_PROVISIONAL = range(101, 200)
_EARLY = 183
_LOGGER = logging.getLogger("trivox.call")


class CallEarly(CallGathering):
    """A call on its way to be answered."""

    _kinds_left: tuple[str, ...] = ()
    """Kinds of media to be offered yet, should the far end refuse what is offered now."""
    _offers: Mapping[str, bytes] = MappingProxyType({})
    """What branches of a call without an offer of ours have offered, by their tags."""

    async def progress(
        self,
        code: int = 180,
        *,
        streams: Iterable[LocalStream] = (),
        reliable: bool | None = None,
        headers: HeaderArguments = None,
    ) -> None:
        """Tell the caller how it goes, before answering: 180 rings at the far end.

        183, and any code with `streams`, opens early media: the response carries the answer to the
        caller's offer, media flows both ways before `answer()`, and `play`, `recording`, `audio`
        and `collect_dtmf` begin. An INVITE without offer has no early media: 183 goes without.

        If cancelled, the call is refused with 480.

        Args:
            code: 101 to 199.
            streams: Local streams to send from now on, beside the call's own.
            reliable: Whether the caller acknowledges it (RFC 3262); None: as `settings` say. One
                goes out after the other; a caller that stays silent for 32 s is refused with 504.
            headers: Headers of the response.

        Raises:
            InvalidArgumentsError: The code is not 101 to 199, or a stream is none.
            NotSupportedError: It is to be reliable and the caller does not know how.
            CallWrongDirectionError, CallWrongStateError, CallEndedError: As for `answer`.
            CallReconnectingError: The caller's connection is gone.
            MediaNegotiationError: The offer has nothing in common with ours; 488 was sent. Or
                there is none, and so no early media for `streams`.
            StreamTypeMismatchError, InactiveStreamError, StreamAlreadySendingError: As for
                `add_stream`.
        """
        if code not in _PROVISIONAL:
            raise InvalidArgumentsError(f"{code!r} is no provisional status: use 180 or 183")
        pairs = checked_headers(headers)
        self._refuse_direction(CallDirection.INCOMING, "progress()")
        self._refuse_ended()
        self._refuse_phase("progress() comes before answer()", Phase.IN_CREATED)
        self._refuse_reconnecting("progress()")
        sending = checked_streams(streams)
        if self._remote_offer and (sending or code == _EARLY):
            await self._gather_early()
        body = self._early_description(code, sending)
        assert self._session is not None, "an incoming call is born with its session"
        self._carry_out(
            self._session.provisional(
                code,
                reason_of(code),
                (*self._packages, *pairs),
                body,
                SDP,
                is_reliable=reliable,
            )
        )
        if body:
            self._begin_early_media()
        if self.timings.progressed is None:
            self.timings.progressed = self._now()
        await self._checkpoint_or_leave(480)

    def _local_description(self) -> bytes:
        """Open the media session; return our answer to their offer, or ours where there is none."""
        assert self._route is not None, "media is opened on the route of the call"
        if self._leg.is_open and self._leg.local_sdp:
            return self._leg.local_sdp.encode()  # early media has answered the offer
        self._open_media()
        offer = self._remote_offer
        self._prepare_video()
        self._tell(media_state="connecting")
        return self._leg.answer(offer, "") if offer else self._leg.offer()

    def _open_media(self) -> None:
        """Open the media session, unless it is; it takes the transport of their offer."""
        offer, kind = self._remote_offer, self.settings.media
        if not self._leg.is_open:
            self._open_leg(choice_for_answer(kind, offer) if offer else self._choice_to_open())
        elif offer and self._leg.is_ice:
            choice = choice_for_answer(kind, offer)
            if choice.transport != "ice":
                self._leg.change_transport(choice)

    @property
    def _may_be_offered_ice(self) -> bool:
        """Whether ICE may be asked of us by a far end that makes the offer of our call."""
        if self.settings.media == "auto":
            return bool(self._host.ice_servers)
        return self.settings.media == "webrtc"

    def _choice_to_open(self) -> TransportChoice:
        """Return what media is opened with before anybody has described itself."""
        if self.settings.delayed_offer and self._may_be_offered_ice:
            return choice_for_offer("webrtc", is_open=False)
        return self._first_choice()

    async def _gather_early(self) -> None:
        """Gather addresses for an incoming call; refuse it when that cannot be, or is cancelled."""
        try:
            self._open_media()
            await self._gather_addresses()
        except (StreamError, EngineError) as error:
            self._refuse_media(error)
            raise
        except trio.Cancelled:
            self._refuse(480)
            raise

    def _answer_to(self, offer: bytes, branch: str) -> bytes:
        """Return the answer to their offer; each branch of a fork makes one (RFC 3261 §13.2.2.4)."""
        self._offers = {**self._offers, branch: offer}
        if self._leg.local_sdp:
            return self._leg.answer(offer, "")
        self._remote_offer = offer
        return self._local_description()

    def _go_by_offer_of(self, branch: str) -> None:
        """Send to the branch that has won, where another has made an offer since."""
        offer = self._offers.get(branch)
        if offer is not None and offer.decode(errors="replace") != self._leg.remote_sdp:
            with suppress(StreamError, EngineError):  # it could be answered once
                self._leg.answer(offer, "")

    def _first_choice(self) -> TransportChoice:
        """Return what an offer of ours begins with."""
        self._kinds_left = self._offered_kinds[1:]
        return self._choice(self._offered_kinds[0])

    def _choice(self, kind: str) -> TransportChoice:
        return choice_for_offer(kind, is_open=self.settings.media == "auto")

    def _open_leg(self, choice: TransportChoice) -> None:
        assert self._route is not None, "a route is there before media is"
        # What is offered after a refusal has the same addresses to choose from.
        widest = "ice" if "webrtc" in self._kinds_left else choice.transport
        self._leg.open(
            choice,
            local_hosts=self._host.media_hosts(self._route, widest),
            advertised=self._host.advertised,
            settings=self.settings,
        )

    @property
    def _offered_kinds(self) -> tuple[str, ...]:
        """The kinds of media our offers have, the first one first."""
        if self.settings.media != "auto":
            return (self.settings.media,)
        if self.settings.offered_media is not None:
            return self.settings.offered_media
        of_account = self.account.offered_media if self.account is not None else None
        return of_account or DEFAULT_OFFERED_MEDIA

    def _early_description(self, code: int, streams: tuple[LocalStream, ...]) -> bytes:
        """Return the answer a provisional response carries; empty for one without media."""
        if streams:
            if not self._remote_offer:
                raise MediaNegotiationError(
                    "the INVITE brought no offer: streams are sent once the call is answered"
                )
            self._add_now(streams)
        if not self._remote_offer or not (streams or code == _EARLY or self._leg.is_open):
            return b""
        try:
            return self._local_description()
        except (StreamError, EngineError) as error:
            self._refuse_media(error)
            raise

    def _begin_early_media(self) -> None:
        """Let media flow before the call is answered."""
        if not CallListening.has_early_media.of(self):
            self._note_negotiated()
            self._tell(has_early_media=True)
            self._add_remote_stream()
            self._emit(EarlyMediaStarted, Originator.LOCAL, stream=self._remote_stream)
            self._leg.begin_flow()

    def _refuse_no_audio(self) -> None:
        """Raise AudioStreamRequiredError for a call that would start without sending audio."""
        audio = self._audio
        if audio is not None and not audio.wish.streams and not self.settings.allow_no_audio:
            raise AudioStreamRequiredError("the call has no audio stream left", call_id=self.id)

    def _refuse_media(self, error: Exception) -> None:
        """Refuse an incoming call whose offer we cannot answer (RFC 3261 §21.4.26)."""
        self._farewell.status = 488 if isinstance(error, StreamError) else 500
        if isinstance(error, EngineExhaustedError):
            # Others may have room, or we a moment later (RFC 3261 §21.5.4).
            self._farewell.status, self._farewell.headers = 503, self._host.retry_after
            _LOGGER.warning("call %s refused: %s", self.id, error, extra=log_fields(self.id))
        self._fail(self._farewell.status, str(error), None, Originator.SYSTEM, Trigger.MEDIA_FAILED)

    @abstractmethod
    def _refuse(self, status: int, headers: Headers = (), *, is_untaken: bool = False) -> None: ...

    async def _checkpoint_or_leave(self, status: int = 480) -> None:
        try:
            await trio.lowlevel.checkpoint()
        except BaseException:
            self._refuse(status)
            raise

    def _refuse_direction(self, needed: CallDirection, what: str) -> None:
        if self.direction is not needed:
            raise CallWrongDirectionError(f"{what} is for {needed} calls", call_id=self.id)

    def _refuse_phase(self, message: str, needed: Phase) -> None:
        if self._phase is not needed:
            raise self._wrong_state(message)
