"""One call's session in the media engine, and who waits for what in it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from trivox.call._digits import Digits
from trivox.errors import EngineError, MediaNegotiationError
from trivox.media.engine import EngineEventKind
from trivox.media.statistics import KnownReport, StatisticsReport, StatisticsSample, history_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trivox.actor.listeners import StartSoon
    from trivox.call.ice_servers import IcePlaces
    from trivox.call.joining import Joint
    from trivox.call.leg_data import LegData
    from trivox.call.leg_video import LegVideo
    from trivox.call.local_audio import LocalAudio
    from trivox.call.settings import CallSettings
    from trivox.call.transports import TransportChoice
    from trivox.call.trickling import Trickling
    from trivox.media.engine import EngineEventSink, Media, MediaSessions, Report
    from trivox.media.port import AudioPort
    from trivox.media.rtp_tap import RtpTap

_OF_PORTS: Final = frozenset(
    {
        EngineEventKind.FRAMES_READY,
        EngineEventKind.AUDIO_LOW,
        EngineEventKind.MARK_PASSED,
        EngineEventKind.RTP_READY,
    }
)
_OF_CANDIDATES: Final = frozenset({EngineEventKind.GATHERED, EngineEventKind.LOCAL_CANDIDATES})
_EVENTS: Final = "telephone-event"
_NO_REPORT: Final = KnownReport()
_WAITED: Final = frozenset(
    {
        EngineEventKind.PLAYBACK_ENDED,
        EngineEventKind.RECORDING_ENDED,
        EngineEventKind.DTMF_SENT,
        EngineEventKind.GATHERED,
    }
)


@final
class Pending:
    """Something the engine will report the end of: a playback, a recording, tones."""

    __slots__ = ("error", "is_done", "lost_blocks", "on_done", "parked", "path", "text")

    def __init__(self) -> None:
        self.is_done = False
        self.text: str | None = None
        """What the engine said; None when the session closed first."""
        self.path = ""
        """The file, of a recording."""
        self.error: str | None = None
        """Why a recording takes nothing more, as soon as that is known."""
        self.lost_blocks = 0
        """What a recording has lost to a slow disk, as last told."""
        self.parked = trio.lowlevel.ParkingLot()
        self.on_done: Callable[[], None] | None = None

    def finish(self, text: str | None) -> None:
        """Wake who waits."""
        self.is_done = True
        self.text = text
        self.parked.unpark_all()
        if self.on_done is not None:
            self.on_done()

    async def wait(self) -> str | None:
        """Wait for the end; a checkpoint also when it is past."""
        if self.is_done:
            await trio.lowlevel.checkpoint()
        while not self.is_done:
            await self.parked.park()
        return self.text


@final
class MediaLeg:
    """The media of one call: opened at most once, released exactly once."""

    def __init__(self, media: Media, sink: EngineEventSink, start_soon: StartSoon) -> None:
        self._media = media
        self.sessions: Final[MediaSessions] = media.sessions
        """The engine's commands."""
        self.start_soon = start_soon
        """Starts a task of the client's, for sources that need one."""
        self._sink: EngineEventSink | None = sink
        self._session: int | None = None
        self._pending: dict[tuple[int, int], Pending] = {}
        self._ports: dict[int, AudioPort | RtpTap] = {}
        self._last_report: Report = _NO_REPORT
        self._flow: trio.lowlevel.ParkingLot | None = None
        self.is_ice = False
        """Whether media travels by ICE."""
        self._fork = ""
        """The early dialog whose answer is heard."""
        self.is_muted = False
        self.is_up = False
        """The transport is connected."""
        self.is_flowing = False
        """Early or agreed media runs: what waits to begin may begin."""
        self.is_open = False
        """The engine has a session for this call."""
        self.is_released = False
        self._digits: Digits | None = None
        self.video: LegVideo | None = None
        """Video; None as long as there is none."""
        self.data: LegData | None = None
        """Data channels; None as long as there are none."""
        self.audio: LocalAudio | None = None
        """The streams sent beside the call's own; None as long as there are none."""
        self.trickling: Trickling | None = None
        """Candidates apart from descriptions; None as long as there are none."""
        self.refused_candidates = 0
        """Candidates of the far end that were dropped before the engine saw them."""
        self.joint: Joint | None = None
        """The bridge or conference it is in."""
        self.local_sdp = ""
        self.remote_sdp = ""
        self.screen: Callable[[str], str] = _unchanged
        """Takes out addresses of a description that no media may go to."""

    @property
    def session(self) -> int:
        """The session's number; the leg must be open."""
        assert self._session is not None, "the session is opened by start(), answer() or progress()"
        return self._session

    @property
    def digits(self) -> Digits:
        """Keys the far end pressed."""
        if self._digits is None:
            self._digits = Digits()
        return self._digits

    @property
    def has_telephone_events(self) -> bool:
        """True when RFC 4733 is agreed (both descriptions name it)."""
        name = "telephone-event"
        return name in self.remote_sdp.lower() and name in self.local_sdp.lower()

    def open(
        self,
        choice: TransportChoice,
        *,
        local_hosts: Sequence[str],
        advertised: str,
        settings: CallSettings,
    ) -> None:
        """Open the session on local addresses, best first. Raises EngineError when no port is left."""
        assert self._sink is not None, "a released leg is not opened again"
        self.is_ice = choice.transport == "ice"
        self._session = self.sessions.open_session(
            transport=choice.transport,
            local_addresses=local_hosts,
            advertised=advertised,
            codecs=settings.audio_codecs,
            dtmf=True,
            ptime_ms=round(settings.packet_time * 1000),
            accepts=choice.accepts,
        )
        self.is_open = True
        if settings.relay_only:
            self.sessions.use_relays_only(self._session)
        if settings.ice_lite:
            self.sessions.answer_as_lite(self._session)
        if settings.rtcp_mux == "negotiate":
            self.sessions.negotiate_rtcp_mux(self._session)
        settings.opus.apply(self.sessions, self._session, comfort_noise=settings.comfort_noise)
        self._media.attach(self._session, self._sink)
        if self.is_muted:
            self.mute(is_muted=True)
        if settings.detection.is_on:
            settings.detection.begin(self.sessions, self._session)
        if self.audio is not None:
            self.audio.begin()

    async def gather(self, places: IcePlaces, *, is_offer: bool, limit: float) -> str:
        """Ask servers for addresses, and return what could not be had; at once if it is closed."""
        pending = self.gathered()
        self.begin_gathering(places, is_offer=is_offer, limit=limit)
        said = await pending.wait()
        return (said or "").partition(" ")[2]

    def gathered(self) -> Pending:
        """Return what ends once the servers that are asked have answered."""
        kind = EngineEventKind.GATHERED
        return self._pending.get((kind, 0)) or self.expect(kind, 0)

    def begin_gathering(self, places: IcePlaces, *, is_offer: bool, limit: float) -> None:
        """Ask without waiting; relays in use are kept. Nothing when the leg is closed."""
        if self.is_open:
            self.sessions.gather(
                self.session,
                relays=places.relays,
                stun=places.stun,
                is_offer=is_offer,
                limit=limit,
                trusted=places.trusted,
            )

    def change_transport(self, choice: TransportChoice) -> None:
        """Offer another transport: the far end refused the offer. What plays and records stays."""
        self.is_ice = choice.transport == "ice"
        self.local_sdp = ""
        self.sessions.change_transport(
            self.session, transport=choice.transport, accepts=choice.accepts
        )

    def offer(self, *, restarts_ice: bool = False) -> bytes:
        """Return an offer of ours."""
        self.local_sdp = self.sessions.create_offer(self.session, ice_restart=restarts_ice)
        return self.local_sdp.encode()

    def look_into(self, offer: bytes) -> None:
        """Let the engine see an offer that is to be answered: what its lines need is known then."""
        with suppress(MediaNegotiationError):  # which its answer will say
            self.sessions.set_remote(
                self.session, self.screen(offer.decode(errors="replace")), "offer", ""
            )

    def answer(self, offer: bytes, dialog: str) -> bytes:
        """Take an offer and return the answer. Raises MediaNegotiationError."""
        text = offer.decode(errors="replace")
        session, sessions = self.session, self.sessions
        sessions.set_remote(session, self.screen(text), "offer", dialog)
        self.local_sdp = sessions.create_answer(session)
        self._note_remote(text)
        return self.local_sdp.encode()

    def take_answer(self, answer: bytes, dialog: str, *, is_provisional: bool = False) -> None:
        """Take the answer to an offer of ours. Raises MediaNegotiationError."""
        text = answer.decode(errors="replace")
        kind = "provisional" if is_provisional else "answer"
        self.sessions.set_remote(self.session, self.screen(text), kind, dialog)
        if self.is_ice and self._fork not in ("", dialog):
            # The path to another branch is another one: the engine tells when it is there.
            self.is_up = False
        self._fork = dialog if is_provisional else ""
        self._note_remote(text)

    def _note_remote(self, text: str) -> None:
        self.remote_sdp = text
        if self.trickling is not None:
            self.trickling.follow()

    def note_events_agreed(self) -> None:
        """Note whether the far end may tell of keys by telephone-events (RFC 4733)."""
        if self._digits is not None and not (
            _EVENTS in self.local_sdp.lower() and _EVENTS in self.remote_sdp.lower()
        ):
            self._digits.lose_events()

    def rollback(self) -> None:
        """Forget an offer that was refused: what was agreed before is in force."""
        if self.is_open:
            self.sessions.rollback(self.session)

    def mute(self, *, is_muted: bool) -> None:
        """Silence or unsilence what is sent."""
        self.is_muted = is_muted
        if self.is_open:
            self.sessions.set_muted(self.session, is_muted)

    def begin_flow(self) -> None:
        """Let what waits for media begin."""
        self.is_flowing = True
        if self._flow is not None:
            self._flow.unpark_all()

    async def wait_moved(self) -> None:
        """Wait until media flows or the leg is released."""
        if self._flow is None:
            self._flow = trio.lowlevel.ParkingLot()
        await self._flow.park()

    def expect(self, kind: EngineEventKind, number: int) -> Pending:
        """Register interest in the end of a playback, a recording or tones."""
        pending = Pending()
        self._pending[kind, number] = pending
        return pending

    def recording(self, number: float) -> Pending | None:
        """Return a recording that has not ended."""
        return self._pending.get((EngineEventKind.RECORDING_ENDED, int(number)))

    def add_port(self, port: AudioPort | RtpTap) -> None:
        """Pass the engine's events on to an audio port or a tap from now on."""
        self._ports = {number: one for number, one in self._ports.items() if not one.is_closed}
        self._ports[port.number] = port

    def statistics(self) -> StatisticsReport:
        """Return the figures now, or the last ones of a released session."""
        if self.is_open:
            self._last_report = self.sessions.statistics(self.session)
        return StatisticsReport.from_report(
            self._last_report, refused_candidates=self.refused_candidates
        )

    def history(self) -> tuple[StatisticsSample, ...]:
        """Return the last seconds, also of a released session."""
        return history_of(self._report() if self.is_open else self._last_report)

    def handle(self, kind: int, number: float, text: str) -> bool:
        """Take an event that belongs to a playback, recording or port; False for others."""
        if kind in _OF_CANDIDATES and self.trickling is not None:
            self.trickling.note_candidates()
        if kind in _WAITED:
            pending = self._pending.pop((kind, int(number)), None)
            if pending is not None:
                pending.finish(text)
            if self.is_released and not self._pending:
                self._detach()
            return True
        if self.video is not None and self.video.handle(kind, number, text):
            return True
        if self.data is not None and self.data.handle(kind, number, text):
            return True
        if kind in _OF_PORTS:
            port = self._ports.get(int(number))
            if port is not None:
                port.handle_engine_event(kind, text)
            return True
        return False

    def release(self) -> None:
        """Stop everything and close the session; recordings are finalised. Idempotent."""
        if self.is_released:
            return
        audio, self.audio = self.audio, None
        if audio is not None:
            audio.release()
        if self.joint is not None:
            self.joint.handle_released(self)
        if self._session is not None:
            self._last_report = self._report()
            self._end_readers()
            self._finish_pending()
        self.is_released = True
        self.is_open = self.is_flowing = False
        self.trickling = None
        if self._session is not None:
            self.sessions.close_session(self._session)
        if not self._pending:
            self._detach()
        if self._flow is not None:
            self._flow.unpark_all()
        if self._digits is not None:
            self._digits.wake()

    def _end_readers(self) -> None:
        for port in self._ports.values():
            port.handle_end()
        if self.video is not None:
            self.video.release()
        if self.data is not None:
            self.data.release()

    def _report(self) -> Report:
        try:
            return self.sessions.statistics(self.session)
        except EngineError:
            return self._last_report

    def _finish_pending(self) -> None:
        """Wake all but recordings, whose end on disk is still to be reported."""
        for kind, number in tuple(self._pending):
            if kind == EngineEventKind.RECORDING_ENDED:
                # Stopped already, or its file broke: the report of it is on its way.
                with suppress(EngineError):
                    self.sessions.stop_recording(self.session, number)
            else:
                self._pending.pop((kind, number)).finish(None)

    def _detach(self) -> None:
        if self._session is not None:
            self._media.detach(self._session)
        self._sink = None
        self._ports.clear()


def _unchanged(sdp: str) -> str:
    return sdp
