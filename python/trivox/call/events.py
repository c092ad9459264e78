"""What a call and a client report: one small frozen class for each kind of event.

`match` works on them. An event is built only when somebody listens, subscribes or waits. Its
`state` is the state at the time it was emitted; the call itself may have moved on since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from trivox.sip.composing import IsComposing, composing_untrusted
from trivox.sip.reason import read_causes_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trivox.actor.watchable import ReadonlyWatchable
    from trivox.call.call import Call
    from trivox.call.referral import ReferralRequest
    from trivox.call.remote_stream import RemoteStream
    from trivox.call.settings import CallSettings
    from trivox.call.streams import LocalStream
    from trivox.call.upgrade import UpgradeRequest, UpgradeStatus
    from trivox.media.statistics import StatisticsReport
    from trivox.sip.imdn import Disposition
    from trivox.sip.reason import Cause


class Originator(StrEnum):
    """Who caused an event."""

    LOCAL = "local"
    """The program, by a method of the call."""
    REMOTE = "remote"
    """The far end, by a message."""
    SYSTEM = "system"
    """trivox itself: a timer, the network, the media engine."""


class EndReason(StrEnum):
    """Why a call ended."""

    LOCAL_ENDED = "local_ended"
    REMOTE_ENDED = "remote_ended"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    """Another branch of a forked call was answered (RFC 3326 §2, cause 200)."""
    CONNECTION_LOST = "connection_lost"
    TRANSFERRED = "transferred"
    """The far end talks to somebody else now: by a transfer of ours, or by a call that replaced this."""
    FAILED = "failed"
    """The attempt did not succeed for a reason other than our own hang-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnd:
    """How a call ended.

    Attributes:
        reason: Why it ended.
        originator: Who ended it.
        sip_code: The status or cause that said so; 0 when there was none.
        sip_reason: Its phrase, or what happened.
        headers: The headers of the message that ended it.
        at: Trio clock, seconds.
        error: What a listener raised under FAIL_CALL, or what broke inside; else None.
    """

    reason: EndReason
    originator: Originator
    sip_code: int = 0
    sip_reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    at: float = 0.0
    error: BaseException | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What the far end gave as Reason in the message that ended the call (RFC 3326)."""
        all_of = getattr(self.headers, "all", None)
        return () if all_of is None else read_causes_untrusted(all_of("Reason"))

    def __str__(self) -> str:
        """Say it in a few words, for logs and error messages."""
        status = " ".join(part for part in (str(self.sip_code or ""), self.sip_reason) if part)
        text = str(self.reason).replace("_", " ")
        return f"{text} ({status})" if status else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events of a call carry.

    Attributes:
        call: The call.
        call_id: `Call.id`.
        at: Trio clock, seconds.
        seq: Number of the event within the call, from 1; gaps are events nobody waited for.
        originator: Who caused it.
        state: The call's state when it was emitted.
        headers: The headers of the message that caused it; empty when none did.
    """

    call: Call = field(repr=False)
    call_id: str
    at: float
    seq: int
    originator: Originator
    state: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    """The call is established: media may flow both ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Event):
    """The call ended; the last event of a call.

    `sip_code` is the status or cause that ended it, 0 when there was none.
    """

    reason: EndReason
    sip_code: int = 0
    sip_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """The attempt did not succeed; the last event of a call.

    `code` is the SIP status, 0 when no response said so.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRinging(Event):
    """The callee is being alerted (180), once for each call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRinging(Event):
    """Ringing is over: answered, ended, or early media took its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyMediaStarted(Event):
    """The far end sends media before it answers (RFC 3960)."""

    stream: RemoteStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRtpReceived(Event):
    """The first valid RTP packet of a stream came in."""

    stream: RemoteStream | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaNegotiated(Event):
    """Offer and answer are complete (RFC 3264)."""

    local_sdp: str = field(repr=False)
    remote_sdp: str = field(repr=False)
    codecs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMediaAdded(Event):
    """A stream of the far end can be received from now on."""

    stream: RemoteStream
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMediaRemoved(Event):
    """A stream of the far end is gone."""

    stream: RemoteStream
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """The far end sent a text message within the call."""

    text: str
    content_type: str = "text/plain"
    message_id: str = ""
    """The id by which the far end knows it; empty when it gave none (RFC 5438 §6.3)."""
    wishes: frozenset[str] = frozenset()
    """What the far end asks to be told: `call.send_disposition(message, "displayed")`."""
    sent_at: str = ""
    """When it was sent, as its envelope says (RFC 3862 §4.2)."""

    @property
    def composing(self) -> IsComposing | None:
        """Whether the far end is writing, if that is what the message says (RFC 3994)."""
        return composing_untrusted(self.content_type, self.text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDispositionReceived(Event):
    """The far end tells, within the call, what became of a message of ours (IMDN, RFC 5438)."""

    disposition: Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoReceived(Event):
    """The far end sent an INFO request (RFC 6086).

    `raw` are the octets; `body` is the same decoded as UTF-8, undecodable ones replaced.
    """

    mime_type: str
    body: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived(Event):
    """One key was pressed and released; repeats of the packet and of other methods are absorbed.

    `duration` is in seconds, `method` is "rfc4733" or "info".
    """

    tone: str
    duration: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldChanged(Event):
    """One end has put the other on hold, or taken it off.

    `local` is what `is_on_hold` says now, `remote` what `is_remotely_held` does.
    """

    local: bool
    remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded(Event):
    """A stream that was sent is closed, or has played out; the call sends it no longer.

    `error` is None, or what broke.
    """

    stream: LocalStream
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUpgrade(Event):
    """The far end offers video; accept or reject it, else it is refused at `deadline`.

    Only with the setting `video_upgrade="ask"`, and only if somebody takes these events; otherwise
    the offer is answered at once. What is refused is the video stream (port 0); the audio goes on.

    `deadline` is Trio clock, seconds.
    """

    request: UpgradeRequest = field(repr=False)
    deadline: float

    @property
    def status(self) -> ReadonlyWatchable[UpgradeStatus]:
        """What has become of the offer."""
        return self.request.status

    def accept(self, stream: LocalStream | None = None) -> None:
        """Take the video at once. Nothing when the offer is answered already.

        Args:
            stream: A video stream to send back; None: video is only received.

        Raises:
            StreamTypeMismatchError, InactiveStreamError, StreamAlreadySendingError, CallOnHoldError:
                The stream cannot be sent; the offer still waits.
        """
        self.request.accept(stream)

    def reject(self) -> None:
        """Refuse the video at once; the audio goes on. Nothing when it is answered already."""
        self.request.reject()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReport(Event):
    """Statistics of the call's media, at the interval its settings ask for."""

    report: StatisticsReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnecting(Event):
    """A path is lost and may come back; `cause` says which.

    "ice": the media's, for more than 2 s. "flow": the connection that only the far end can open
    anew, a WebSocket it had opened; it has 32 s, then the call ends (CONNECTION_LOST; FAILED if it
    was never connected). A TCP connection that closes is no loss: the next request opens one.
    """

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnected(Event):
    """The call is back in the state it was in before `Reconnecting`."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequested(Event):
    """The far end asks us to call somebody else (REFER, RFC 3515); nothing is done without a yes.

    One that is neither accepted nor rejected within 8 s is refused with 603.

    Attributes:
        target: The URI to call.
        replaces: The dialog at the target that the new call takes over (RFC 3891), or None.
        referred_by: The URI of who asks, as it says itself (RFC 3892), or None.
    """

    target: str
    replaces: str | None
    referred_by: str | None
    request: ReferralRequest = field(repr=False, compare=False)

    def accept(self, settings: CallSettings | None = None) -> Call:
        """Place the call and report on it to the far end; returns the new call, being started.

        Args:
            settings: Of the new call; None: those of this call.

        Raises:
            CallWrongStateError: It was decided before, or 8 s are over.
            CallEndedError: The call it came in has ended.
        """
        return self.request.accept(settings)

    def reject(self, code: int = 603) -> None:
        """Refuse. Raises InvalidArgumentsError for a code below 300, else as `accept`."""
        self.request.reject(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress(Event):
    """The call that our transfer asked for had a provisional response, or is being placed."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted(Event):
    """The far end reached the target of our transfer; this call ends next.

    `code` is 0 or provisional when the far end left without telling how it went.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(Event):
    """Our transfer did not come about; the call goes on. `code` is 408 when nothing was told."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced(Event):
    """Another call took this one's place (RFC 3891) and was answered; this one ends next."""

    new_call: Call
