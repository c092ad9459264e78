"""The compiled extension: the SIP core and the media engine.

Two halves that do not know each other. `trivox.sip` and `trivox.net` use the SIP half,
`trivox.media.native_engine` alone uses the engine half.
"""

import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from os import PathLike
from typing import Final, TypeAlias, final

from numpy import int16
from numpy.typing import NDArray

__all__ = [
    "EVENT_ACK",
    "EVENT_ACK_TIMEOUT",
    "EVENT_CANCEL",
    "EVENT_FLOW_BROKEN",
    "EVENT_PONG",
    "EVENT_PROXY_CANCELLED",
    "EVENT_REQUEST",
    "EVENT_RESPONSE",
    "EVENT_STRAY_RESPONSE",
    "EVENT_TIMEOUT",
    "EVENT_TRANSPORT_ERROR",
    "AudioFeed",
    "AudioFrame",
    "AudioShare",
    "Figures",
    "MediaEngine",
    "Message",
    "NameAddr",
    "SipCore",
    "SipEvent",
    "SoundDecoder",
    "Uri",
    "__version__",
    "compare_recordings",
    "detect_hold",
    "detect_transport",
    "detect_video",
    "file_seconds",
    "quality_rules",
]

__version__: str

# ---------------------------------------------------------------- SIP half

_Address: TypeAlias = tuple[str, int]
_Headers: TypeAlias = Sequence[tuple[str, str]]

EVENT_REQUEST: Final[
    int
]  # a new request; tx is its server transaction, to be answered with respond()
EVENT_ACK: Final[int]  # the ACK for a 2xx of ours; tx is the INVITE's server transaction
EVENT_CANCEL: Final[
    int
]  # a CANCEL that matched; already answered 200; tx is the INVITE's server transaction
EVENT_RESPONSE: Final[
    int
]  # a response, first copy of each (status, To tag); tx is the client transaction
EVENT_TIMEOUT: Final[
    int
]  # Timer B or F (RFC 3261 §17.1): no final response; tx is the client transaction
EVENT_TRANSPORT_ERROR: Final[int]  # the flow of a client transaction is gone
EVENT_ACK_TIMEOUT: Final[
    int
]  # 64·T1 after our 2xx without ACK (RFC 3261 §13.3.1.4), or our reliable 1xx without PRACK
EVENT_STRAY_RESPONSE: Final[
    int
]  # a response no transaction claims; a proxy forwards a 2xx, others drop it
EVENT_FLOW_BROKEN: Final[int]  # framing of a stream is lost: close the flow
EVENT_PROXY_CANCELLED: Final[int]  # a proxied INVITE's CANCEL, already answered 200
EVENT_PONG: Final[int]  # a STUN keep-alive was answered; status 1: we are seen at another address

# (kind, token, tx, method, status, message, flow, source)
SipEvent: TypeAlias = tuple[int, int, int, str, int, Message | None, int, _Address]

@final
class Message:
    """One received SIP message: the bytes and a table of offsets into them.

    Values are decoded on demand, UTF-8 with surrogateescape, so that octets survive a round trip.
    """

    @staticmethod
    def parse(data: bytes) -> Message:
        """Parse one whole message, as from a datagram. Raises trivox.errors.ParseError."""
    @property
    def is_request(self) -> bool: ...
    @property
    def method(self) -> str:
        """The request's method, or for a response the method of its CSeq."""
    @property
    def status(self) -> int:
        """The response's status code; 0 for a request."""
    @property
    def reason(self) -> str: ...
    @property
    def uri(self) -> str:
        """The Request-URI; empty for a response."""
    @property
    def body(self) -> bytes: ...
    @property
    def raw(self) -> bytes: ...
    @property
    def from_tag(self) -> str: ...
    @property
    def to_tag(self) -> str: ...
    @property
    def cseq(self) -> int:
        """Number of the CSeq; 0 when it is missing or malformed."""
    @property
    def contact_uri(self) -> str:
        """The URI of the first Contact; empty when absent or not a URI."""
    def key(self) -> tuple[str, int, str, str, str, str, str, int]:
        """(method, status, Call-ID, From tag, To tag, top branch, sent-by, CSeq number) in one crossing."""
    def dialog(self) -> tuple[str, str, str, str, str, str, tuple[str, ...], int]:
        """(Call-ID, From tag, To tag, From value, To value, Contact URI, Record-Route values in message order, CSeq)."""
    def header(self, name: str) -> str | None:
        """The first value of a header by canonical or compact name, unfolded; None when absent."""
    def headers(self, name: str) -> list[str]:
        """Every header line's value of that name, in order, unfolded, not split at commas."""
    def values(self, name: str) -> list[str]:
        """As headers(), but split at top-level commas (Via, Contact, Route, Record-Route, Supported, ...)."""
    def items(self) -> list[tuple[str, str]]:
        """All headers in order, names as received but compact ones expanded."""
    def validate(self) -> tuple[int, str] | None:
        """What a UAS answers to this request if it is wrong (RFC 3261 §8.2, RFC 4475): (status, reason) or None."""

@final
class SipCore:
    """Messages, transactions and their timers for any number of flows. Sans-I/O.

    Drain rule: after every call that takes `now`, take_output() until it is empty and deliver it,
    then sleep until next_deadline() and call handle_timeout(). `now` is seconds on one monotonic clock.
    Everything that misses to reach a transaction user (retransmissions, ACK to non-2xx, malformed
    input, repeated 2xx) is handled inside.
    """

    def __new__(
        cls,
        seed: bytes,
        *,
        t1: float = 0.5,
        t2: float = 4.0,
        t4: float = 5.0,
        max_transactions: int = 1_000_000,
    ) -> SipCore: ...
    def open_flow(self, flow: int, transport: str, local: _Address) -> None:
        """Register a socket (udp) or a connection (tcp, ws). Ids are the caller's and are never reused."""
    def offer_reuse(self, flow: int) -> None:
        """Say in the Via of what leaves by a connection that requests may come back by it (RFC 5923)."""
    def close_flow(self, flow: int, now: float) -> list[SipEvent]: ...
    def receive_batch(
        self, flow: int, datagrams: Sequence[tuple[bytes, _Address]], now: float
    ) -> list[SipEvent]:
        """Datagrams of a UDP socket, or whole WebSocket messages."""
    def receive_ready(
        self, flow: int, descriptor: int, limit: int, now: float
    ) -> tuple[int, list[SipEvent]]:
        """Take what waits at a UDP socket until it is empty, or about `limit` datagrams; (how many, events)."""
    def set_door(
        self,
        *,
        refusals_per_second: int,
        retry_after: int,
        calls_per_second: float,
        waiting: int,
        waiting_seconds: float,
        target_delay: float,
        overload_seconds: float,
        requests_per_source: float,
        source_ban: float,
        sources: int,
        strangers_per_second: float,
        overload_control: bool,
        unacknowledged: int,
        kept: int,
    ) -> None:
        """Set the limits at the door: which requests from outside come in (0.0 a second: no limit)."""
    def exempt_sources(self, networks: list[tuple[IPv4Address | IPv6Address, int]]) -> None:
        """Name the networks, by address and prefix length, whose sources have no limit of their own."""
    def set_silence(self, is_on: bool, known: list[tuple[IPv4Address | IPv6Address, int]]) -> None:
        """Give no answer of the core's own but to sources in these networks, and in dialogs that exist:

        none to what is malformed or refused, to a CANCEL of nothing, to keep-alives.
        """
    def drop_request(self, tx: int, now: float) -> bool:
        """Let a request and its repetitions go unanswered; False when it was answered already."""
    def is_throttled(self, destination: tuple[str, int], now: float) -> bool:
        """Tell whether one more request outside of dialogs falls to the loss a neighbour asked for (RFC 7339)."""
    def ping(self, token: int, flow: int, destination: tuple[str, int], repeats: bool) -> None:
        """Send a STUN keep-alive by UDP (RFC 5626 §4.4.2); EVENT_PONG carries the token."""
    def forget_ping(self, token: int) -> None:
        """Expect no answer to the keep-alives of a token any more."""
    def shut_door(self, shut: bool) -> None:
        """Refuse every new INVITE from its raw bytes, or take them again."""
    @property
    def waiting(self) -> int:
        """New requests that wait for a turn; while there are any, admit() begins the next turn."""
    def admit(self, now: float) -> list[SipEvent]:
        """Begin a turn: let in as many of those that wait as a turn takes."""
    def receive_stream(
        self, flow: int, data: bytes, source: _Address, now: float
    ) -> list[SipEvent]:
        """Bytes of a TCP or TLS connection, split anywhere. CRLF keep-alives are answered (RFC 5626 §3.5.1)."""
    def request(
        self,
        method: str,
        uri: str,
        flow: int,
        destination: _Address,
        sent_by: str,
        headers: _Headers,
        body: bytes,
        token: int,
        now: float,
    ) -> int:
        """Start a client transaction and return it. Via, Content-Length are added; all else is in `headers`.

        Responses and dialogs they make carry `token`. Raises InvalidHeaderError for control characters.
        """
    def shorten(self, tx: int, limit: float, now: float) -> None:
        """Wait `limit` seconds and not 64·T1 for the first response to a request: others can be asked."""
    def respond(
        self,
        tx: int,
        status: int,
        reason: str,
        headers: _Headers,
        body: bytes,
        to_tag: str,
        token: int,
        now: float,
    ) -> bool:
        """Answer a request. Via, From, To, Call-ID, CSeq (and Record-Route on 1xx/2xx) are copied from it.

        `to_tag` is added unless the request had one; a 1xx or 2xx with it binds the dialog to `token`.
        A 2xx to INVITE is repeated until its ACK. False when the transaction is over already, and for
        a 1xx but 100, or a 408, to a non-INVITE (RFC 4320 §4). Raises InvalidHeaderError.
        """
    def acknowledge(
        self,
        tx: int,
        to_tag: str,
        uri: str,
        flow: int,
        destination: _Address,
        sent_by: str,
        headers: _Headers,
        body: bytes,
        now: float,
    ) -> None:
        """ACK the 2xx with that To tag; the stored ACK answers every repetition of it (RFC 3261 §13.2.2.4)."""
    def cancel(self, tx: int, headers: _Headers, token: int, now: float) -> int:
        """Send CANCEL for a client INVITE that has had a provisional response; returns its own transaction.

        0, and nothing is sent, when it has had none yet, has its final response, or was cancelled before.
        The INVITE times out 64·T1 later if no final response follows (RFC 3261 §9.1).
        """
    def forward(
        self,
        message: Message,
        uri: str,
        flow: int,
        destination: _Address,
        sent_by: str,
        *,
        routes: Sequence[str],
        record_route: str,
        max_forwards: int,
        server: int,
        now: float,
        replaced: Sequence[tuple[str, str]] = ...,
    ) -> int:
        """Forward a request as a stateful proxy (RFC 3261 §16.6): new branch on top of its Via stack.

        `routes` replaces the Route set, `record_route` ('' for none) is put on top of Record-Route. `server`
        is the server transaction it belongs to (0 for an ACK, which is forwarded statelessly and returns 0).
        Its 2xx is passed up and neither repeated nor acknowledged (RFC 6026 §7). The headers of `replaced` are
        left out, by any spelling of their names, and stand there with these values instead, if not empty.
        """
    def forward_response(self, server: int, message: Message, now: float) -> bool:
        """Send a response upstream without its top Via, through the server transaction."""
    def bind(self, call_id: str, local_tag: str, remote_tag: str, token: int) -> None: ...
    def forget(self, call_id: str, local_tag: str, remote_tag: str) -> None:
        """Drop a dialog's token: later requests in it come with token 0."""
    def undelivered(self, quoted: bytes, is_final: bool) -> bool:
        """Fail the request that an error of the network quotes, with the next `handle_timeout`."""
    def unsendable(self, message: bytes) -> bool:
        """Fail a request there is no way to send by, unless it is in a dialog; as `undelivered`."""
    def send_ready(self, flow: int, descriptor: int) -> tuple[int, int]:
        """Send what is queued for a flow by its UDP socket, without waiting: (messages, of these refused)."""
    def take_output(self) -> list[tuple[int, _Address, bytes]]:
        """(flow, destination, bytes) to send, in order; empties the queue."""
    def next_deadline(self) -> float | None: ...
    def handle_timeout(self, now: float) -> list[SipEvent]: ...
    def inject_fault(self, steps: int) -> None:
        """Panic in the so-many-th transaction step from now, to prove that it costs one transaction only."""
    @property
    def received(self) -> int:
        """Messages received so far, malformed ones included; cheaper than statistics()."""
    def statistics(self) -> dict[str, int]:
        """Live transactions, dialogs, timers, flows; counters of messages received, sent, retransmitted,

        absorbed (copies), malformed, dropped, refused (503 under overload), and panics (bugs of ours).
        """

@final
class Uri:
    """A SIP or SIPS URI (RFC 3261 §19.1), or any other scheme kept opaque."""

    @staticmethod
    def parse(text: str) -> Uri: ...
    @property
    def scheme(self) -> str: ...
    @property
    def user(self) -> str:
        """User part, percent-decoded; empty when absent."""
    @property
    def password(self) -> str: ...
    @property
    def host(self) -> str:
        """Host without brackets, lower case; the opaque rest for a scheme other than sip and sips."""
    @property
    def port(self) -> int | None: ...
    @property
    def parameters(self) -> dict[str, str | None]:
        """Names in lower case; None for a parameter without value."""
    @property
    def headers(self) -> str:
        """What follows the question mark, undecoded."""
    def __eq__(self, value: object, /) -> bool:
        """Equality by RFC 3261 §19.1.4."""
    def __hash__(self) -> int: ...

@final
class NameAddr:
    """A name-addr or addr-spec with header parameters: From, To, Contact, Route (RFC 3261 §20.10)."""

    @staticmethod
    def parse(text: str) -> NameAddr: ...
    @property
    def display_name(self) -> str:
        """Unquoted; empty when absent."""
    @property
    def uri(self) -> str: ...
    @property
    def parameters(self) -> dict[str, str | None]: ...

# ---------------------------------------------------------------- engine half

# (session, kind, number, text): see trivox.media.engine.EngineEventKind
_EngineEvent: TypeAlias = tuple[int, int, float, str]

_AudioPart: TypeAlias = (
    tuple[str, bool, float]
    | tuple[str, bool, float, tuple[str, int, int]]
    | tuple[list[float], list[tuple[float, float]], float, float]
    | float
    | AudioFeed
    | AudioShare
    | list[_AudioPart]
)
"""(path, loop, start), the same with (encoding, rate, channels) for bare samples, (frequencies Hz, cadence s, duration s, level dBov), silence s, feed, share, several."""

def file_seconds(path: str | PathLike[str]) -> float:
    """Length of a WAV or Ogg Opus file. Raises EngineError."""

@final
class AudioFeed:
    """A bounded stretch of audio between one writer and the sessions that play it."""

    def __new__(
        cls, rate: int, limit: float, *, relay: bool = False, once: bool = False
    ) -> AudioFeed:
        """Holds `limit` seconds; a relay 20 to 100 ms; `once`: closed with its last playback."""
    def write(self, samples: bytes) -> float:
        """Take int16 samples whole, or nothing: seconds to be played before they fit, else 0."""
    def skip(self, seconds: float) -> None:
        """Take what a playback would in that time."""
    def play_out(self) -> None:
        """Be a playback that is over."""
    def clear(self) -> float:
        """Drop what waits; returns its seconds."""
    def close(self) -> None: ...
    def fail(self, reason: str) -> None:
        """Close it; playbacks end with this error when they have played what is there."""
    @property
    def error(self) -> str | None:
        """Why it was closed before its end."""
    @property
    def queued(self) -> float: ...
    @property
    def underruns(self) -> int: ...
    @property
    def is_closed(self) -> bool: ...

@final
class SoundDecoder:
    """Decodes WAV, Ogg Opus or FLAC that is still coming, to int16 mono of one rate."""

    def __new__(cls, rate: int) -> SoundDecoder: ...
    def push(self, octets: bytes) -> None:
        """Take what has come. Raises EngineError for a frame that is not whole after 1 MiB."""
    def take(self) -> bytes:
        """Decode the next stretch, 30 s at most; empty where more has to come. Raises EngineError."""
    def close(self) -> None:
        """Say that nothing more comes."""
    @property
    def is_over(self) -> bool:
        """Nothing more is to be had."""

@final
class AudioShare:
    """A source that is read once and encoded once a codec for all who play it."""

    def __new__(cls) -> AudioShare:
        """One of nothing, for engines that play no sound."""
    @property
    def encoded(self) -> int:
        """Frames of 20 ms that were encoded, all codecs together."""

@final
class MediaEngine:
    """Media sessions on shards with threads of their own, or driven in virtual time.

    Every method is thread-safe, quick and never waits for the network. A panic inside ends that
    session only and is reported as an event FAILED; a method on it raises EngineError.
    """

    def __new__(
        cls,
        *,
        seed: bytes,
        threads: int = 1,
        driven: bool = False,
        now: float = 0.0,
        port_range: tuple[int, int] = (0, 0),
    ) -> MediaEngine:
        """`threads` shards; `driven` has none and needs advance(). Port range (0, 0): the system chooses."""
    @property
    def event_fd(self) -> int:
        """Readable while events wait; -1 when driven."""
    def drain(self, limit: int) -> list[_EngineEvent]: ...
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
        """`transport` is "plain", "sdes", "dtls" or "ice"; `accepts` are others the far end may change to. Binds what it needs on the local addresses."""
    def change_transport(
        self, session: int, *, transport: str, accepts: Sequence[str] = ()
    ) -> None:
        """Offer another transport in place of one that was refused, before the far end answered."""
    def use_relays_only(self, session: int) -> None:
        """Send and receive by relays only, and tell no address of ours; before any description."""
    def answer_as_lite(self, session: int) -> None:
        """Answer an offer by ICE as a lite agent (RFC 8445 §2.5); before any description."""
    def negotiate_rtcp_mux(self, session: int) -> None:
        """Offer RTCP a component of its own beside rtcp-mux (RFC 5761 §5.1.3); before any description."""
    def gather(
        self,
        session: int,
        *,
        relays: Sequence[tuple[str, str, int, str, str, str, str]],
        stun: Sequence[tuple[str, int]],
        is_offer: bool,
        limit: float,
        trusted: Sequence[bytes] = (),
    ) -> None:
        """Ask relays (name, IP address, port, user name, password, "udp", "tcp" or "tls", name in its certificate) and STUN servers for addresses; event 60 ends it. `trusted`: certificates in DER, for TLS."""
    def gather_lines(self, session: int) -> bool:
        """Ask those servers for lines that the next description gives a path of their own; whether anything is being asked."""
    def trickle(self, session: int, *, is_gathering: bool) -> None:
        """The far end takes candidates after a description; with `is_gathering` the next ones do not end them."""
    def fragment(self, session: int) -> str:
        """All candidates so far as RFC 8840 has them; empty once their end was told."""
    def take_fragment_untrusted(self, session: int, text: str) -> str:
        """Take candidates: "taken", "old" or "unknown". Raises MediaNegotiationError."""
    def create_offer(self, session: int, *, ice_restart: bool = False) -> str: ...
    def set_remote(self, session: int, sdp: str, kind: str, dialog: str) -> None:
        """`kind` is "offer", "answer" or "provisional"; `dialog` tells early dialogs (To tags) apart. Raises MediaNegotiationError."""
    def create_answer(self, session: int) -> str: ...
    def close_session(self, session: int) -> None: ...
    def set_codec_options(
        self,
        session: int,
        *,
        bitrate_bps: int,
        complexity: int,
        fec: bool,
        dtx: bool,
        stereo: bool,
        cbr: bool,
        max_playback_rate_hz: int,
        comfort_noise: bool,
    ) -> None:
        """How audio is encoded; takes effect with the next description agreed on."""
    def agreed_codecs(self, session: int) -> list[tuple[str, str, int, int]]:
        """Kind of line, encoding name, clock rate in Hz and channels of each line agreed on."""
    def set_muted(self, session: int, muted: bool) -> None: ...
    def set_mix(self, session: int, *, own: bool, holding: bool) -> None:
        """What is heard: all; without `own` what is placed "beside"; `holding`, the place "hold" alone."""
    def set_direction(self, session: int, direction: str) -> None:
        """Wish for "sendrecv", "sendonly", "recvonly" or "inactive" in the next descriptions."""
    def rollback(self, session: int) -> None:
        """Forget an offer that was refused, with its wish; harmless without one."""
    def set_impairment(self, session: int, drop: float) -> None:
        """Lose that share of outgoing RTP packets, 0 to 1, repeatably by the engine's seed."""
    def play_file(
        self,
        session: int,
        path: str | PathLike[str],
        loop: bool,
        start: float,
        *,
        place: str = "queue",
    ) -> int:
        """Play a WAV file in its turn, "beside" the rest or on "hold"; PLAYBACK_ENDED follows. Raises EngineError for a bad file."""
    def play_tone(
        self,
        session: int,
        frequencies_hz: Sequence[float],
        cadence: Sequence[tuple[float, float]],
        duration: float,
        level_dbov: float,
        *,
        place: str = "queue",
    ) -> int: ...
    def play_silence(self, session: int, duration: float, *, place: str = "queue") -> int: ...
    def stop_playback(self, session: int, playback: int) -> float:
        """Stop within a frame; returns seconds really sent of it."""
    def start_recording(
        self, session: int, path: str | PathLike[str], side: str, file_format: str = "wav"
    ) -> int:
        """16 kHz, "wav" or "ogg" (Opus); "both" is stereo: left received, right sent. Gap-true to wall time."""
    def stop_recording(self, session: int, recording: int) -> float:
        """Finalise the file; returns its seconds. RECORDING_ENDED follows when it is on disk."""
    def bridge(self, one: int, other: int) -> int:
        """Let two sessions hear each other, undecoded where their codecs agree. Raises EngineError when one is joined."""
    def end_bridge(self, bridge: int) -> None: ...
    def open_room(self) -> int:
        """Open a room; ACTIVE_SPEAKER and the ends of its recordings carry this number as session."""
    def close_room(self, room: int) -> None: ...
    def add_member(
        self,
        room: int,
        session: int,
        *,
        gain_db: float,
        muted: bool,
        deaf: bool,
        whispers_to: int | None,
    ) -> None:
        """Give a session a seat. Raises EngineError when it is joined, or the room is full."""
    def set_member(
        self,
        room: int,
        session: int,
        *,
        gain_db: float,
        muted: bool,
        deaf: bool,
        whispers_to: int | None,
    ) -> None: ...
    def remove_member(self, room: int, session: int) -> None: ...
    def record_room(self, room: int, path: str | PathLike[str], file_format: str = "wav") -> int:
        """All that is heard, 16 kHz, mono; "wav" or "ogg" (Opus)."""
    def stop_room_recording(self, room: int, recording: int) -> float: ...
    def bridge_figures(self, bridge: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """(packets passed, frames transcoded, dropped) from the first to the second, and back."""
    def open_rtp_tap(self, session: int, *, batch: int) -> int:
        """Subscribe to received packets of audio; RTP_READY events follow."""
    def close_rtp_tap(self, tap: int) -> None: ...
    def take_rtp(
        self, tap: int, limit: int
    ) -> tuple[list[tuple[float, int, bool, int, int, int, bytes, str]], int]:
        """(seconds, payload type, marker, sequence, timestamp, ssrc, payload, codec); how many were lost."""
    def open_audio(
        self, session: int, rate_hz: int, frame_ms: int, batch: int, ahead: float = 0.2
    ) -> int:
        """Subscribe to received audio and open a way to send; FRAMES_READY events follow."""
    def bound_audio(self, port: int, most: int, *, keeps_oldest: bool) -> None:
        """Say how many received frames wait, and whether the newest of more are dropped."""
    def close_audio(self, port: int) -> None: ...
    def send_audio(self, port: int, samples: bytes) -> float | None:
        """Queue int16 mono samples whole; seconds queued, or None while they do not fit: AUDIO_LOW tells when they do."""
    def clear_audio(self, port: int, fade: float) -> float:
        """Drop what is queued; returns seconds that left in packets since the last clear."""
    def mark_audio(self, port: int) -> int:
        """Put a mark behind what is queued; MARK_PASSED follows."""
    def audio_state(self, port: int) -> tuple[float, int]:
        """Seconds queued, and how often the queue ran dry within a packet."""
    def take_frames(self, port: int, limit: int) -> list[AudioFrame]:
        """Frames of an audio port, oldest first."""
    def play_part(self, session: int, part: _AudioPart, *, place: str = "queue") -> int:
        """Play a file, a tone, silence, a feed, a share, or a list of these at once."""
    def share(self, part: _AudioPart) -> AudioShare:
        """Open a source once for many sessions, to be given to play_part."""
    def is_share_over(self, share: AudioShare) -> bool:
        """Whether its source has ended, or the last who played it has left."""
    def encoded(self, session: int) -> int:
        """Packets that were encoded for this session alone."""
    def tap(self, session: int, feed: AudioFeed) -> None:
        """Give what a session hears to a feed, which is closed with the session."""
    def set_listening(
        self, session: int, *, voice: bool, hang_over: float, level_interval: float
    ) -> None:
        """Say what is listened for; VOICE_ACTIVITY and LEVEL follow."""
    def set_tones(self, session: int, *, dtmf: bool, tones: bool) -> None:
        """Say what is listened for; INBAND_DTMF_STARTED, INBAND_DTMF and TONE_HEARD follow."""
    def begin_answerer(
        self,
        session: int,
        *,
        initial_silence: float,
        greeting: float,
        after_greeting: float,
        words: int,
        word: float,
        limit: float,
    ) -> None:
        """Listen from now on for who has answered; ANSWERER_TOLD follows, once."""
    def send_inband(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Send keys as sound in the audio; DTMF_SENT follows."""
    def prepare_video(self, session: int, codecs: Sequence[str], *, receive: bool) -> None:
        """Choose the codecs of video, and whether offered video is taken."""
    def open_line(self, session: int, kind: str) -> int:
        """Wish to send on a line of "video" or "screen" from the next description on."""
    def close_line(self, session: int, line: int) -> None: ...
    def video_lines(self, session: int) -> list[tuple[int, str, str]]:
        """Number, kind and agreed direction of each line; "" where none is agreed."""
    def play_video(self, session: int, line: int, path: str, loop: bool, rate: float) -> int:
        """Send a file of encoded video; VIDEO_ENDED follows."""
    def relay_video(self, session: int, line: int, source: int, source_line: int) -> None:
        """Send on a line what another session receives on one, packet by packet."""
    def choose_layer(
        self, session: int, line: int, layer: str, most_bps: int = 0, most_height: int = 0
    ) -> None:
        """Choose the simulcast layer of what is relayed; "" and zeros: the largest."""
    def choose_tap_layer(self, tap: int, layer: str, most_bps: int, most_height: int) -> None:
        """Choose the simulcast layer of a subscription."""
    def video_layers(self, session: int, line: int) -> list[tuple[str, int, int, int, bool]]:
        """Name, width, height (0: not known), bits a second and whether it is sent, of each layer."""
    def stop_video(self, session: int, line: int) -> None: ...
    def open_video_push(self, session: int, line: int) -> int:
        """Let the program send frames; KEY_FRAME_WANTED asks for key frames."""
    def push_video(
        self, line: int, push: int, codec: str, pts: float, frame: bytes, rotation: int = 0
    ) -> bool:
        """Send a frame; False when nothing may be sent now."""
    def open_video_tap(self, session: int, line: int) -> int:
        """Subscribe to encoded frames; ENCODED_READY tells of them."""
    def close_video_tap(self, tap: int) -> None: ...
    def want_key_frame(self, session: int, line: int) -> None:
        """Ask the far end for a key frame, at most twice a second."""
    def start_video_recording(
        self,
        session: int,
        line: int,
        path: str | PathLike[str],
        side: str,
        file_format: str,
        layer: str = "",
    ) -> int:
        """Record to "mkv" or "ivf"; line 0 is the first that shows something, `side` the sound's, or "none"."""
    def take_encoded(
        self, tap: int, limit: int
    ) -> tuple[list[tuple[str, float, bool, bytes, int]], int]:
        """Frames (codec, pts in seconds, is key, bytes, rotation), and how many were lost so far."""
    def accept_channels(self, session: int, accepts: bool) -> None:
        """Take data channels the far end opens, or no longer."""
    def open_channel(
        self,
        session: int,
        label: str,
        *,
        protocol: str,
        ordered: bool,
        max_retransmits: int,
        max_lifetime_ms: int,
        id: int,  # noqa: A002 (as others call it)
    ) -> int:
        """Open a data channel once there is a way for it; CHANNEL_OPENED or CHANNEL_CLOSED follows.

        -1 for no limit, and for an id that is not agreed on.
        """
    def has_data_line(self, session: int) -> bool:
        """Whether the descriptions have a line for data; without it an offer is due."""
    def send_on_channel(self, session: int, channel: int, text: bool, data: bytes) -> bool:
        """Queue a message; False when too much is queued: DATA_LOW follows."""
    def take_from_channel(self, session: int, channel: int, limit: int) -> list[tuple[bool, bytes]]:
        """Take messages that wait; DATA_READY tells of them."""
    def close_channel(self, session: int, channel: int) -> None:
        """Close a data channel; what is queued still leaves."""
    def channel_facts(
        self, session: int, channel: int
    ) -> tuple[str, str, bool, int, int, int, str, int]:
        """Label, protocol, ordered, retransmissions, lifetime in ms, stream, state, unsent bytes."""
    def send_dtmf(self, session: int, tones: str, duration: float, gap: float) -> int:
        """Queue RFC 4733 events; DTMF_SENT follows when played out. ',' pauses."""
    def cancel_dtmf(self, session: int, sending: int) -> None: ...
    def statistics(self, session: int) -> Figures: ...
    def counts(self) -> dict[str, int]:
        """Live sessions, sockets, playbacks, recordings, ports, events waiting, events lost."""
    def close(self) -> None:
        """Close all sessions and join the threads."""

    # driven mode only
    def set_link(self, *, delay: float, jitter: float, loss: float, duplicate: float) -> None:
        """The in-memory link between the sessions of this engine, seeded by the engine's seed."""
    def next_deadline(self) -> float | None: ...
    def advance(self, now: float) -> None: ...

    # for tests
    def inject_fault(self, session: int) -> None:
        """Panic inside a session, to prove that it ends that session only."""

@final
class Figures:
    """A session's statistics by the names of `StatisticsReport`; a figure is made when asked for."""

    def __getitem__(self, name: str, /) -> float | str: ...
    def __contains__(self, name: str, /) -> bool: ...
    def get(self, name: str, default: float | str | None, /) -> float | str | None: ...
    def streams(self) -> list[dict[str, float | str]]:
        """What is known of each stream, by the names of `StreamStatistics`."""
    def seconds(self) -> list[tuple[float, float, float, float, float, float, float]]:
        """The last seconds: at, packets, loss, jitter, buffer_delay, round_trip and level or NaN."""

@final
class AudioFrame:
    """Received audio: a buffer of int16, shape (samples, 1), native order, read-only."""

    def __new__(
        cls, data: bytes, rate: int, pts: float, level: float, flags: int
    ) -> AudioFrame: ...
    @property
    def rate(self) -> int:
        """Samples a second."""
    @property
    def channels(self) -> int:
        """Always 1."""
    @property
    def pts(self) -> float:
        """Seconds of audio since the port was opened."""
    @property
    def level(self) -> float:
        """In dBov; -127 is silence."""
    @property
    def concealed(self) -> bool:
        """Some of it was made up for a missing packet."""
    @property
    def speech(self) -> bool: ...
    @property
    def speech_started(self) -> bool: ...
    @property
    def duration(self) -> float:
        """In seconds."""
    @property
    def samples(self) -> NDArray[int16]:
        """An ndarray over the same memory; needs numpy."""
    def __len__(self) -> int:
        """Samples."""
    def __bytes__(self) -> bytes: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

def quality_rules() -> list[tuple[str, float, float, float, int, int]]:
    """Issue, warning, critical, cleared at, seconds that raise it, seconds that clear it."""

def detect_hold(sdp: str) -> bool:
    """Whether the author of a description has put us on hold, in any dialect."""

def detect_video(sdp: str, before: str = "", ours: str = "") -> bool:
    """Whether an offer brings video beside what its author and we have said before."""

def detect_transport(sdp: str) -> str:
    """Which transport an offer asks for: "plain", "sdes", "dtls" or "ice"."""

def compare_recordings(
    sent_path: str | PathLike[str], recorded_path: str | PathLike[str], channel: int | None
) -> dict[str, float]:
    """Compare a WAV recording with what was sent: correlation 0-1, delay_ms, longest_gap_ms, level_dbov, sent_level_dbov.

    `channel` picks one of the recording; None mixes them.
    """
