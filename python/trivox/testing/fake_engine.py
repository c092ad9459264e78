"""A media engine in plain Python: no codec, no packet, the same events at the same times.

For tests of signalling and of programs: sessions of one FakeEngine find each other by the ports in
their session descriptions, so tones, frames and ends arrive at the far session.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from trivox.errors import EngineError, InvalidArgumentsError, MediaNegotiationError
from trivox.media.driven import DrivenMedia
from trivox.media.engine import EngineEventKind
from trivox.media.native_engine import AudioFeed, file_seconds
from trivox.testing.fake_audio import FakeAudio, FakePort, FakeShare
from trivox.testing.fake_codecs import FakeCodecs
from trivox.testing.fake_data import FakeData, FakeDataOf
from trivox.testing.fake_gathering import FakeGathering
from trivox.testing.fake_joining import FakeJoining
from trivox.testing.fake_playback import FakePlayer
from trivox.testing.fake_session import (
    FakeSession,
    check_direction,
    check_opening,
    describe,
    media_port,
    meet,
    write_silence,
)
from trivox.testing.fake_statistics import report_of
from trivox.testing.fake_taps import FakeTap, FakeTaps
from trivox.testing.fake_tones import FakeTones
from trivox.testing.fake_trickle import FakeTrickle, ufrag_in
from trivox.testing.fake_video import FakeVideo, FakeVideoOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trivox.media.statistics import KnownReport

_FIRST_PORT: Final = 20_000


@final
class FakeEngine(
    FakeAudio,
    FakeCodecs,
    FakeData,
    FakeGathering,
    FakeJoining,
    FakeTaps,
    FakeTones,
    FakeTrickle,
    FakeVideo,
):
    """A `SteppedEngine` whose sessions connect `set_up` seconds after offer and answer are known.

    Servers answer `gathering` seconds after they were asked.
    """

    def __init__(self, *, now: float = 0.0, set_up: float = 0.0, gathering: float = 0.0) -> None:
        super().__init__(now)
        self._set_up = set_up
        self._gathering = gathering
        self._player = FakePlayer(now=lambda: self._now, at=self._at, emit=self._emit)
        self._ports: dict[int, FakePort] = {}
        self._videos: dict[int, FakeVideoOf] = {}
        self._datas: dict[int, FakeDataOf] = {}
        self._taps: list[tuple[FakeSession, AudioFeed]] = []
        self._shares: list[FakeShare] = []
        self._rtp_taps: dict[int, FakeTap] = {}
        self._sendings: dict[int, int] = {}
        self._bridges, self._rooms = {}, {}
        self.closed = False

    def open_session(
        self,
        *,
        transport: str,
        local_addresses: Sequence[str],
        advertised: str,
        codecs: Sequence[str],
        dtmf: bool,
        ptime_ms: int,
        accepts: Sequence[str] = (),
    ) -> int:
        """Make a session on a port of its own."""
        del advertised, dtmf
        check_opening((transport, *accepts), local_addresses, codecs, ptime_ms)
        number = next(self._numbers)
        self._sessions[number] = FakeSession(number, transport, _FIRST_PORT + 2 * number, self._now)
        return number

    def change_transport(
        self, session: int, *, transport: str, accepts: Sequence[str] = ()
    ) -> None:
        """Offer another transport."""
        self._session(session).change_transport(transport, accepts)

    def create_offer(self, session: int, *, ice_restart: bool = False) -> str:
        """Return an offer with the session's port, and another user fragment for a restart."""
        own = self._session(session)
        own.ice_restarts += ice_restart
        own.has_local = own.has_open_offer = True
        return describe(own, own.wish)

    def set_remote(self, session: int, sdp: str, kind: str, dialog: str) -> None:
        """Take the far end's description; an answer or a provisional one connects."""
        own = self._session(session)
        port = media_port(sdp)
        if port is None:
            raise MediaNegotiationError("the session description has no audio that can be used")
        own.remote_port = port
        own.remote_ufrags.append(ufrag_in(sdp))
        if kind == "offer":
            own.remote_offer = sdp
        elif not own.has_open_offer:
            raise EngineError("an answer came without an offer: call create_offer first")
        else:
            if kind == "answer":
                own.agree(meet(own.wish, sdp), self._now)
                self._meet_video(own)
                self._meet_data(own)
            if own.transport == "ice" and own.fork not in ("", dialog):
                own.connected = math.nan  # another branch, another path
            own.fork = dialog if kind == "provisional" else ""
            self._connect(own)

    def create_answer(self, session: int) -> str:
        """Return an answer to the offer set before."""
        own = self._session(session)
        offer, own.remote_offer = own.remote_offer, ""
        if not offer:
            raise EngineError("there is no offer to answer: call set_remote first")
        own.agree(meet(own.wish, offer), self._now)
        self._connect(own)
        return describe(own, own.direction, offer)

    def close_session(self, session: int) -> None:
        """End a session and all that runs on it. An ended one is ignored."""
        own = self._sessions.pop(session, None)
        self._videos.pop(session, None)
        self._drop_data(session)
        if own is None:
            return
        for path, side, started in own.recordings.values():
            write_silence(path, side, self._now - started)
        self._player.drop(own)
        self._close_taps(own)
        for port in [number for number, port in self._ports.items() if port.session == session]:
            del self._ports[port]
        self._drop_sendings(session)

    def set_muted(self, session: int, muted: bool) -> None:  # noqa: FBT001 - the engine's signature
        """Mute or unmute what is sent."""
        self._session(session).is_muted = muted

    def set_mix(self, session: int, *, own: bool, holding: bool) -> None:
        """Let the music on hold run, or not."""
        found = self._session(session)
        found.is_own_silent, found.is_holding = not own, holding
        self._player.run(found)

    def set_direction(self, session: int, direction: str) -> None:
        """Wish for a direction in the next descriptions."""
        self._session(session).wish = check_direction(direction)

    def rollback(self, session: int) -> None:
        """Forget an offer that was refused, and its wish."""
        self._session(session).rollback()

    def set_impairment(self, session: int, drop: float) -> None:
        """Check the argument; a fake sends no packet that could be dropped."""
        self._session(session)
        if not 0.0 <= drop <= 1.0:
            raise InvalidArgumentsError("the share to drop is from 0 to 1")

    def play_file(
        self,
        session: int,
        path: str,
        loop: bool,  # noqa: FBT001 - the engine's signature
        start: float,
        *,
        place: str = "queue",
    ) -> int:
        """Take a WAV file by its length."""
        length = file_seconds(path)
        return self._play(session, math.inf if loop else max(0.0, length - start), place)

    def play_tone(
        self,
        session: int,
        frequencies_hz: Sequence[float],
        cadence: Sequence[tuple[float, float]],
        duration: float,
        level_dbov: float,
        *,
        place: str = "queue",
    ) -> int:
        """Take a tone by its length."""
        del frequencies_hz, cadence, level_dbov
        return self._play(session, duration, place)

    def play_silence(self, session: int, duration: float, *, place: str = "queue") -> int:
        """Take silence."""
        return self._play(session, duration, place)

    def stop_playback(self, session: int, playback: int) -> float:
        """Stop a playback; returns the seconds sent of it, 0 for one that has ended."""
        self._session(session)
        return self._player.stop(playback)

    def start_recording(
        self,
        session: int,
        path: str,
        side: str,
        file_format: str = "wav",
    ) -> int:
        """Start a recording; its file holds silence when it is stopped."""
        own = self._session(session)
        if side not in {"received", "sent", "both"}:
            raise InvalidArgumentsError('the side is "received", "sent" or "both"')
        if file_format not in {"wav", "ogg"}:
            raise InvalidArgumentsError('the format of a recording is "wav" or "ogg"')
        if not Path(path).parent.is_dir():
            raise EngineError(f"cannot record to {path}: no such folder")
        number = next(self._numbers)
        own.recordings[number] = (path, side, self._now)
        return number

    def stop_recording(self, session: int, recording: int) -> float:
        """Write the file and return its seconds."""
        own = self._session(session)
        if recording not in own.recordings:
            raise EngineError(f"there is no recording {recording}: it has ended or never was")
        path, side, started = own.recordings.pop(recording)
        write_silence(path, side, self._now - started)
        self._emit(session, EngineEventKind.RECORDING_ENDED, recording)
        return self._now - started

    def statistics(self, session: int) -> KnownReport:
        """Return what 50 packets a second both ways on a clean line would give."""
        return report_of(self._session(session), self._now)

    def counts(self) -> dict[str, int]:
        """Return what is alive."""
        return {
            "sessions": len(self._sessions),
            "sockets": 0,
            "playbacks": len(self._player),
            "recordings": sum(len(own.recordings) for own in self._sessions.values()),
            "ports": len(self._ports),
            **self._joined_counts(),
            "events_waiting": len(self._events),
            "events_lost": 0,
            "datagrams_unrouted": 0,
        }

    def close(self) -> None:
        """Close all sessions."""
        for session in list(self._sessions):
            self.close_session(session)
        self._due.clear()
        self.closed = True

    def fail(self, session: int, reason: str) -> None:
        """Break a session as a lost ICE consent or a fault in the engine would."""
        self._emit(session, EngineEventKind.FAILED, text=reason)

    def press(self, session: int, tone: str, duration: float = 0.1) -> None:
        """Let a session hear a key press, without a far session."""
        self._emit(session, EngineEventKind.DTMF_STARTED, text=tone)
        self._emit(session, EngineEventKind.DTMF, duration, tone)

    def _connect(self, own: FakeSession) -> None:
        if math.isnan(own.connected):
            own.connected = self._now + self._set_up
            self._at(own.connected, lambda: self._report_connected(own.number))

    def _report_connected(self, session: int) -> None:
        if session in self._sessions:
            self._emit(session, EngineEventKind.CONNECTED)
            self._emit(session, EngineEventKind.FIRST_RTP)
            self._player.run(self._sessions[session])

    def _plays(self, playback: int) -> bool:
        return playback in self._player

    def _elapsed(self, playback: int) -> float:
        return self._player.elapsed(playback)

    def _end_playback(self, number: int, error: str = "") -> None:
        self._player.finish(number, error)

    def _play(self, session: int, duration: float, place: str) -> int:
        return self._player.play(self._session(session), next(self._numbers), duration, place)


def fake_media(
    *, now: float = 0.0, set_up: float = 0.0, gathering: float = 0.0
) -> tuple[DrivenMedia, FakeEngine]:
    """Make a `Media` on a FakeEngine that starts at `now`, and the engine to steer it by."""
    engine = FakeEngine(now=now, set_up=set_up, gathering=gathering)
    return DrivenMedia(engine), engine
