"""What a program may choose for one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, Literal, cast

from trivox.call.argument_rules import checked_choice, checked_names, checked_privacy, checked_uri
from trivox.call.codec_settings import (
    DEFAULT_AUDIO_CODECS,
    DEFAULT_OPUS,
    OpusSettings,
    check_packet_time,
    checked_codecs,
)
from trivox.call.header_rules import checked_headers, checked_text
from trivox.call.streams import LocalStream, checked_streams
from trivox.call.transports import MEDIA_KINDS, OFFERED_KINDS, MediaKind
from trivox.errors import InvalidArgumentsError
from trivox.errors.checks import checked_kind, checked_number
from trivox.media.detection import NO_DETECTION, Detection
from trivox.media.video import VIDEO_CODECS
from trivox.sip.reliable import Reliability
from trivox.sip.session_timer import LEAST_INTERVAL, TimerOffer

ReliableKind = Literal["never", "supported", "required"]

VideoUpgrade = Literal["ask", "accept", "reject"]
"""What becomes of an offer of video during a call: ask by CallUpgrade, or answer it at once."""

RtcpMuxPolicy = Literal["negotiate", "require"]
TrickleMode = Literal["auto", "full", "half"]
"""When a first offer of ours goes out without the candidates that servers are yet to tell."""

_RTCP_MUX_POLICIES: Final = ("negotiate", "require")
_TRICKLE_MODES: Final = ("auto", "full", "half")
_VIDEO_UPGRADES: Final = ("ask", "accept", "reject")
DEFAULT_OFFERED_MEDIA: Final = ("rtp",)
_MOST_CUSTOM_DATA_BYTES: Final = 200
_LEAST_STATS_INTERVAL: Final = 0.5


class RejectMode(IntEnum):
    """How an incoming call is rejected; any status from 300 to 699 may stand in its place."""

    BUSY = 486
    """This device only (RFC 3261 §21.4.24)."""
    DECLINE = 603
    """All devices of the user (RFC 3261 §21.6.2)."""


class DtmfMethod(StrEnum):
    """How tones are sent."""

    AUTO = "auto"
    """RFC 4733 if agreed, else INFO."""
    RFC4733 = "rfc4733"
    """Telephone events in RTP."""
    INFO = "info"
    """SIP INFO with application/dtmf-relay."""
    INBAND = "inband"
    """Two sines in the audio itself (ITU-T Q.23), for far ends that know nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """Choose how one call is placed or answered.

    Attributes:
        caller_name: Display name in From; None: the account's.
        caller_uri: Address in From; None: the account's.
        privacy: What is asked of the network, kinds of RFC 3323 and 3325: "id", "user", "header",
            "session", "history", "critical", "none". With the first three From is anonymous; the
            network is told who calls, and what is asked of it, where the account is trusted.
        custom_data: Up to 200 bytes of UTF-8, sent as `X-Custom-Data`.
        extra_headers: Further headers of the INVITE or of its answer.
        audio_codecs: Encoding names in order of preference: "opus", "G722", "PCMU", "PCMA", "L16".
        opus: How Opus is encoded and wanted.
        packet_time: Seconds of audio in a packet, 0.01 to 0.06 in steps of 0.01: what our
            descriptions ask for (`a=ptime`), and what is sent where the far end asks for nothing.
        comfort_noise: With G.711, send what a silence sounds like in place of it, where the far
            end takes that (RFC 3389); received comfort noise is played in any case.
        media: How media travels: "auto", "webrtc", "dtls", "srtp", "optional-srtp" or "rtp". An
            offer of another kind is refused with 488.
        offered_media: With "auto", the kinds that calls of ours offer: the first one, and when it
            is refused with 488 or 606, the next; None: those of the account's settings, else "rtp".
        relay_only: Let media that travel by ICE go by the relays of the client's `ice_servers`
            only, and tell the far end no address of ours (RFC 8828 §5.2).
        ice_lite: Answer offers by ICE as a lite agent (RFC 8445 §2.5), which lets the far end do all
            checks: for programs whose own addresses every far end can reach. No server is asked.
        rtcp_mux: What a first offer by ICE of ours says of RTCP: "require" sends it with RTP;
            "negotiate" lets the far end choose, which costs a second port until it has (RFC 5761
            §5.1.3). Offers of far ends are answered as they want it.
        trickle: Whether a first offer by ICE of ours waits for its addresses at the client's
            `ice_servers` (RFC 8838): "half" waits; "full" does not, and sends them after it by INFO;
            "auto" is "full" towards a far end that is known to take them later.
        dtmf_method: The default of `Call.send_dtmf`.
        streams: Local streams to send from the start, beside the call's own.
        delayed_offer: Let the far end make the offer of an outgoing call: its INVITE has none, and our
            ACK brings the answer (RFC 3264 §5).
        allow_no_audio: Let an outgoing call start though its audio streams were removed.
        receive_audio: Let the far end send audio. False says "sendonly", which a far end may take for
            a hold; nothing is heard, no key either but by INFO.
        receive_video: Take video that the far end offers. Sending video turns it on too.
        video_codecs: Video codecs in order of preference: "VP8", "H264", "VP9", "AV1".
        preferred_video_codec: One of them that comes first; None: the order stands.
        video_upgrade: ask: emit CallUpgrade, and refuse the video after 8 s; accept, reject: answer
            at once. Without effect where `receive_video` takes it anyway.
        receive_data_channels: Take data channels that the far end opens. They are taken in any case
            where somebody listens to `DataChannelOpened` when the descriptions are exchanged.
        mute_audio: Start muted.
        detection: What is listened for in received audio and told by events; nothing by default.
        report_stats: Emit a StatsReport every `stats_interval`.
        stats_interval: Seconds, brought down to a multiple of 0.5; at least 0.5.
        ring_timeout: Seconds an outgoing call may stay unanswered; None: for ever.
        max_duration: Seconds from Connected after which the call is ended; None: never.
        session_expires: Seconds a session lives unless one side refreshes it, asked for in our
            calls (RFC 4028); 0: not asked for. One that a caller asks for is kept in any case, cut
            to this.
        min_session_expires: The least session interval we accept, in seconds; at least 90.
        reliable_provisional: Whether provisional responses are acknowledged (RFC 3262): "never";
            "supported", those that carry a description, where both ends know how; "required".
        redirects: What to do when a far end sends our call elsewhere (3xx): "refuse" lets it fail;
            a number follows so many of them; a function gets the targets, most wanted first, and
            says whether to try them. It is called in the client's loop and must not wait.
        media_timeout: Seconds without RTP and RTCP, while receiving is agreed, after which the call
            is ended; None: never.
    """

    caller_name: str | None = None
    caller_uri: str | None = None
    privacy: tuple[str, ...] = ()
    custom_data: str = ""
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    audio_codecs: tuple[str, ...] = DEFAULT_AUDIO_CODECS
    opus: OpusSettings = DEFAULT_OPUS
    packet_time: float = 0.02
    comfort_noise: bool = False
    media: MediaKind = "auto"
    offered_media: tuple[str, ...] | None = None
    relay_only: bool = False
    ice_lite: bool = False
    rtcp_mux: RtcpMuxPolicy = "require"
    trickle: TrickleMode = "auto"
    dtmf_method: DtmfMethod = DtmfMethod.AUTO
    streams: tuple[LocalStream, ...] = ()
    delayed_offer: bool = False
    allow_no_audio: bool = False
    receive_audio: bool = True
    receive_video: bool = False
    video_codecs: tuple[str, ...] = VIDEO_CODECS
    preferred_video_codec: str | None = None
    video_upgrade: VideoUpgrade = "ask"
    receive_data_channels: bool = False
    mute_audio: bool = False
    detection: Detection = NO_DETECTION
    report_stats: bool = False
    stats_interval: float = 1.0
    ring_timeout: float | None = 60.0
    max_duration: float | None = None
    media_timeout: float | None = 30.0
    session_expires: int = 1800
    min_session_expires: int = LEAST_INTERVAL
    reliable_provisional: ReliableKind = "supported"
    redirects: Literal["refuse"] | int | Callable[[tuple[str, ...]], bool] = "refuse"

    def __post_init__(self) -> None:
        if not isinstance(self.extra_headers, Mapping):
            raise InvalidArgumentsError("extra_headers is a mapping of names to values")
        checked_headers(self.extra_headers)
        object.__setattr__(self, "audio_codecs", checked_codecs(self.audio_codecs))
        checked_kind(self.opus, OpusSettings, "opus")
        check_packet_time(self.packet_time)
        method = checked_choice(self.dtmf_method, DtmfMethod, "dtmf_method")
        object.__setattr__(self, "dtmf_method", method)
        object.__setattr__(self, "privacy", checked_privacy(self.privacy))
        checked_text(self.custom_data, "custom_data")
        checked_text(self.caller_name or "", "caller_name")
        if self.caller_uri:
            checked_uri(self.caller_uri, "caller_uri")
        if len(self.custom_data.encode()) > _MOST_CUSTOM_DATA_BYTES:
            raise InvalidArgumentsError(
                f"custom_data is longer than {_MOST_CUSTOM_DATA_BYTES} bytes of UTF-8"
            )
        object.__setattr__(self, "streams", checked_streams(self.streams))
        object.__setattr__(self, "video_codecs", _checked_video(self.video_codecs))
        if self.preferred_video_codec is not None:
            preferred = _checked_video((self.preferred_video_codec,))[0]
            object.__setattr__(self, "preferred_video_codec", preferred)
        _check_name(self.video_upgrade, "video_upgrade", _VIDEO_UPGRADES)
        _check_name(self.media, "media", MEDIA_KINDS)
        _check_name(self.rtcp_mux, "rtcp_mux", _RTCP_MUX_POLICIES)
        _check_name(self.trickle, "trickle", _TRICKLE_MODES)
        self._check_offered_media()
        if self.relay_only and self.ice_lite:
            raise InvalidArgumentsError(
                "relay_only and ice_lite exclude each other: a lite agent is reached directly"
            )
        for name in ("ring_timeout", "max_duration", "media_timeout"):
            value = getattr(self, name)
            if value is not None:
                checked_number(value, name, unit=" seconds, or None for no limit")
        _check_intervals(self.session_expires, self.min_session_expires)
        _check_redirects(self.redirects)
        checked_choice(self.reliable_provisional, Reliability, "reliable_provisional")
        object.__setattr__(self, "reliable_provisional", Reliability(self.reliable_provisional))
        checked_number(self.stats_interval, "stats_interval", unit=" seconds")
        steps = max(1, int(self.stats_interval / _LEAST_STATS_INTERVAL))
        object.__setattr__(self, "stats_interval", steps * _LEAST_STATS_INTERVAL)

    def _check_offered_media(self) -> None:
        if self.offered_media is None:
            return
        kinds = checked_names(self.offered_media, "offered_media")
        for kind in kinds:
            _check_name(kind, "each of offered_media", OFFERED_KINDS)
        if not kinds or self.media != "auto":
            raise InvalidArgumentsError(
                "offered_media names at least one kind, and goes with media='auto'"
            )
        object.__setattr__(self, "offered_media", kinds)

    @property
    def ordered_video_codecs(self) -> tuple[str, ...]:
        """The video codecs, the preferred one first."""
        preferred = self.preferred_video_codec
        if preferred is None:
            return self.video_codecs
        return (preferred, *(name for name in self.video_codecs if name != preferred))

    @property
    def reliability(self) -> Reliability:
        """The policy for provisional responses."""
        return cast("Reliability", self.reliable_provisional)

    @property
    def session_timer(self) -> TimerOffer:
        """What these settings ask for and accept as session interval."""
        return TimerOffer(self.session_expires, self.min_session_expires)

    @property
    def invite_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers these settings add to an INVITE or its answer."""
        custom = (("X-Custom-Data", self.custom_data),) if self.custom_data else ()
        return custom + tuple(self.extra_headers.items())


def _checked_video(names: tuple[str, ...]) -> tuple[str, ...]:
    known = {name.lower(): name for name in VIDEO_CODECS}
    names = checked_names(names, "video_codecs")
    found = tuple(known.get(name.lower(), "") for name in names)
    if not found or "" in found:
        raise InvalidArgumentsError(f"video codecs are some of {', '.join(VIDEO_CODECS)}")
    return found


def _check_intervals(wanted: int, least: int) -> None:
    if not isinstance(least, int) or least < LEAST_INTERVAL:
        raise InvalidArgumentsError(
            f"min_session_expires is a number of seconds, at least {LEAST_INTERVAL}"
        )
    if not isinstance(wanted, int) or not (wanted == 0 or wanted >= least):
        raise InvalidArgumentsError(
            f"session_expires is a number of seconds, at least {least}; 0 asks for none"
        )


def _check_name(value: str, what: str, names: tuple[str, ...]) -> None:
    if value not in names:
        raise InvalidArgumentsError(f"{what} must be one of {', '.join(names)}")


def _check_redirects(wish: object) -> None:
    if not (wish == "refuse" or callable(wish) or (isinstance(wish, int) and wish >= 0)):
        raise InvalidArgumentsError("redirects is 'refuse', a number, or a function")
