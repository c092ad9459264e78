"""The media side of a call's face: sound, streams, pictures, data, hold, figures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trivox.call import _data as data
from trivox.call import _paths as paths
from trivox.call import _sound as sound
from trivox.call import _wishes as wishes
from trivox.call._core import CallCore
from trivox.call._video import choose_layer, share_no_longer, share_screen
from trivox.call.data_channel import ChannelOptions
from trivox.call.recording import Recording
from trivox.errors import InvalidArgumentsError
from trivox.media.video import LayerChoice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Literal

    from trivox.call.data_channel import DataChannel
    from trivox.call.playback import Played
    from trivox.call.remote_stream import RemoteStream
    from trivox.call.streams import LocalScreenSharingStream, LocalStream
    from trivox.media.port import AudioPort
    from trivox.media.sources import AudioSource
    from trivox.media.statistics import StatisticsReport, StatisticsSample


class CallMedia(CallCore):
    """What a call does with sound, pictures and data."""

    async def play(
        self, source: AudioSource | str | PathLike[str], *, loop: bool = False
    ) -> Played:
        """Play a source and return when it was played out, with what was heard of it.

        It begins when media flows; playbacks of one call take turns. Cancelling it stops the sound
        within a packet time and drops the rest.

        Args:
            source: A path of a WAV, Ogg Opus or FLAC file, or a source.
            loop: Repeat a file until cancelled or the call ends.

        Raises:
            CallEndedError: The call ended before the source did.
            CallFailedError: The call was never established.
            EngineError: The file cannot be read, or proved damaged while it was played.
        """
        return await sound.play(self, source, loop=loop)

    def recording(
        self,
        path: str | PathLike[str],
        *,
        side: Literal["both", "received", "sent"] = "both",
        format: Literal["wav", "ogg", "mkv", "ivf"] | None = None,  # noqa: A002 (as others call it)
        video: RemoteStream | None = None,
    ) -> Recording:
        """Record into a file while inside `async with`: 16 kHz, stereo for both sides.

        The format goes by the name's end where none is given: .ogg and .opus are Opus, .mkv is
        Matroska with the far end's video and the sound as Opus, .ivf the video alone.

        It begins when media flows. Leaving, also by cancellation or the call's end, finalises the
        file. Left is what was received, right what was sent. Video is written as it comes, from a
        key frame on, which is asked for.

        Args:
            path: The file, which is written anew.
            side: Whose sound.
            format: What is written, whatever the file's name says.
            video: Whose pictures; None: the first video stream that shows something.

        Raises:
            InvalidArgumentsError: The format takes no video, or `video` is none of this call's.
        """
        line = 0
        if video is not None:
            if video not in tuple(self._remote_streams_now()) or video.home is None:
                raise InvalidArgumentsError(
                    f"{video!r} is no video of this call: see remote_streams"
                )
            line = video.home[1]
        return Recording(self._leg, path, side, format, partial(sound.wait_flowing, self), line)

    def audio(
        self, *, rate: int = 16_000, frame: float = 0.02, batch: int = 1, ahead: float = 0.2
    ) -> AudioPort:
        """Open the call's audio to the program: iterate frames in, `send` samples out.

        Args:
            rate: Samples a second, both ways; 8000 to 48 000.
            frame: Seconds of a received frame, 0.01 to 0.12.
            batch: Frames handed over for each wake-up, 1 to 50.
            ahead: Seconds that may be queued before `send` waits, 0.02 to 10.

        Raises:
            CallWrongStateError: There is no media session yet: start or answer first.
            CallEndedError: The call is over.
        """
        return sound.open_audio(self, rate=rate, frame=frame, batch=batch, ahead=ahead)

    async def collect_dtmf(
        self,
        *,
        max_digits: int | None = None,
        terminators: str = "#",
        first_timeout: float = 5.0,
        inter_digit_timeout: float = 3.0,
        prompt: AudioSource | str | PathLike[str] | None = None,
        flush: bool = False,
    ) -> str:
        """Collect the keys the far end presses and return them without the terminator.

        Starts with keys pressed before (type-ahead). A prompt stops at the first key. When a time
        limit passes, what was entered so far is returned. Cancelling it stops the prompt and
        leaves the keys for the next collect.

        Args:
            max_digits: Return as soon as there are so many; None: no limit.
            terminators: Keys that end the entry; "" for none.
            first_timeout: Seconds for the first key, from the end of the prompt.
            inter_digit_timeout: Seconds for each further key.
            prompt: What is played meanwhile.
            flush: Forget keys pressed before.

        Raises:
            InvalidArgumentsError: A limit or the terminators are of no use.
            CallEndedError: The call ended first.
            CallFailedError: The call was never established.
            EngineError: The prompt cannot be read, or proved damaged before a key went down.
        """
        return await sound.collect_dtmf(
            self,
            max_digits=max_digits,
            terminators=terminators,
            first_timeout=first_timeout,
            inter_digit_timeout=inter_digit_timeout,
            prompt=prompt,
            flush=flush,
        )

    def mute_microphone(self) -> None:
        """Send silence from now on. Local only; idempotent."""
        sound.mute(self, is_muted=True)

    def unmute_microphone(self) -> None:
        """Send what is played again. Idempotent."""
        sound.mute(self, is_muted=False)

    def toggle_microphone(self) -> bool:
        """Mute or unmute and return the new muted state."""
        sound.mute(self, is_muted=not self._leg.is_muted)
        return self._leg.is_muted

    async def hold(
        self,
        enable: bool = True,  # noqa: FBT001, FBT002 (the reference's signature)
        *,
        music: AudioSource | str | PathLike[str] | None = None,
    ) -> None:
        """Put the far end on hold, or take it off; returns when it has agreed.

        A held party hears `music`, or silence, and is not heard. What else plays in the call runs
        on unheard. RTCP goes on both ways. Cancelling it unsends nothing: it is completed in the
        background, and `is_on_hold` shows what came of it.

        Args:
            enable: False takes the call off hold.
            music: What the held party hears; a file is repeated.

        Raises:
            CallOnHoldError, CallNotOnHoldError: It is so already.
            CallWrongStateError: The call is not connected; CallReconnectingError: not now.
            StreamUpdateFailedError: The far end refused; all is as before.
            EngineError: The music cannot be read.
        """
        if music is not None and not enable:
            raise InvalidArgumentsError("music is played on hold: leave it out of hold(False)")
        await (wishes.hold(self, music) if enable else wishes.resume(self))

    async def add_stream(self, stream: LocalStream) -> None:
        """Send a stream too; returns when it is sent.

        Audio is mixed with what is sent already, and the far end asked only if that was nothing.
        Video has a line of its own; adding it turns on receiving video too. Before the call is connected the
        stream is only noted. Cancelling it unsends nothing: it is completed in the background.

        Raises:
            StreamTypeMismatchError: It is of a screen: start_screen_sharing() sends those.
            CallOnHoldError: The far end is on hold.
            InactiveStreamError: The stream is closed.
            StreamAlreadySendingError: The call sends it already.
            StreamUpdateFailedError: The far end refused; all is as before.
            CallEndedError, CallReconnectingError: The call is not in a state for it.
        """
        await wishes.add_stream(self, stream)

    async def remove_stream(self, stream: LocalStream) -> None:
        """Send a stream no longer; it stays open. Returns when it is no longer sent.

        The far end is asked only if nothing else is sent. Cancelling it unsends nothing.

        Raises:
            StreamNotSendingError: The call does not send it.
            CallOnHoldError, StreamUpdateFailedError, CallEndedError, CallReconnectingError: As for
                `add_stream`.
        """
        await wishes.remove_stream(self, stream)

    async def replace_stream(self, stream: LocalStream, old_stream: LocalStream) -> None:
        """Send `stream` in place of `old_stream`, without asking the far end.

        Args:
            stream: The new one. It comes first.
            old_stream: The one that is sent; it stays open.

        Raises:
            StreamTypeMismatchError: They are not of one kind.
            StreamNotSendingError: The call does not send `old_stream`.
            CallOnHoldError, InactiveStreamError, StreamAlreadySendingError, CallEndedError,
                CallReconnectingError: As for `add_stream`.
            EngineError: What the new stream plays cannot be read.
        """
        await wishes.replace_stream(self, stream, old_stream)

    async def start_screen_sharing(self, streams: Sequence[LocalScreenSharingStream]) -> None:
        """Share a screen on a video line of its own (`a=content:slides`); returns when it is sent.

        Cancelling it unsends nothing: it is completed in the background.

        Args:
            streams: What `client.streams.create_screen_sharing_stream` made: the picture, and
                perhaps sound, which is mixed with the rest.

        Raises:
            InvalidArgumentsError: There are none.
            StreamTypeMismatchError: One is no stream of a screen.
            StreamAlreadySendingError: A screen is shared already.
            CallOnHoldError, InactiveStreamError, StreamUpdateFailedError, CallWrongStateError,
                CallEndedError, CallReconnectingError: As for `add_stream`.
        """
        await share_screen(self, streams)

    async def stop_screen_sharing(self) -> None:
        """Share the screen no longer; the streams stay open.

        Raises:
            StreamNotSendingError: No screen is shared.
            CallOnHoldError, StreamUpdateFailedError, CallWrongStateError, CallEndedError,
                CallReconnectingError: As for `remove_stream`.
        """
        await share_no_longer(self)

    def choose_video_layer(
        self,
        stream: LocalStream,
        layer: str = "",
        *,
        max_bitrate: int | None = None,
        max_height: int | None = None,
    ) -> None:
        """Choose the simulcast layer of a sent stream whose source is another call's.

        It is changed at the next key frame, which is asked for; see `LayerChoice`.

        Args:
            stream: The stream that is sent in this call.
            layer: The layer's name (`a=rid`); "": the largest within the bounds.
            max_bitrate: None with more bits a second.
            max_height: None with higher pictures.

        Raises:
            InvalidArgumentsError: A bound is below 1.
            StreamNotSendingError: The call does not send it.
            EngineError: It passes on nothing of another call.
        """
        choose_layer(self, stream, LayerChoice(layer, max_bitrate, max_height))

    def create_data_channel(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        max_retransmits: int | None = None,
        max_packet_lifetime: float | None = None,
        id: int | None = None,  # noqa: A002 (as browsers call it)
    ) -> DataChannel:
        """Make a data channel to the far end, and return it before it is open.

        Made before the call starts, it goes into the first offer; later the far end is asked, unless
        it has agreed on such a line before. The channel tells when it is open, or that it is over
        because the far end takes none. It needs ICE: `media="webrtc"`, or an offer of that kind.

        Args:
            label: Its name for the far end, up to 1024 bytes of UTF-8.
            protocol: What is spoken on it, for the far end to read; as long.
            ordered: Deliver messages in the order they were sent in.
            max_retransmits: Send a lost message again so often and no more; None: no limit.
            max_packet_lifetime: Try to deliver a message for so many seconds; None: no limit.
            id: The channel's id, 0 to 1023, where both ends make the same channel and nothing is
                said of it on the wire ("negotiated" in browsers); None: it is announced.

        Raises:
            InvalidArgumentsError: A limit, the id or a name is of no use.
            EngineError: The call has no ICE, or 64 channels.
            CallEndedError: The call is over.
        """
        self._refuse_ended()
        options = ChannelOptions(
            label=label,
            protocol=protocol,
            ordered=ordered,
            max_retransmits=max_retransmits,
            max_packet_lifetime=max_packet_lifetime,
            id=id,
        )
        return data.create_channel(self, options)

    @property
    def data_channels(self) -> tuple[DataChannel, ...]:
        """The data channels that are not over, oldest first."""
        return () if self._leg.data is None else self._leg.data.channels

    async def restart_ice(self) -> None:
        """Look for a media path anew (RFC 8445 §9); returns when the far end has agreed.

        Media goes on over the old path until a new one is found. It happens by itself when a path
        has been silent for 10 seconds: from the caller's side, and from the other 4 seconds later.
        There are four such attempts at most for one lost path, 4, 8 and 16 seconds apart.
        Cancelling it unsends nothing.

        Raises:
            NotSupportedError: The media of this call do not travel by ICE.
            CallWrongStateError: The call is not connected.
            StreamUpdateFailedError: The far end refused; all is as before.
        """
        await paths.restart_ice(self)

    def statistics(self) -> StatisticsReport:
        """Return the figures of the call's media; the last ones after its end."""
        return self._leg.statistics()

    def statistics_history(self) -> tuple[StatisticsSample, ...]:
        """Return one sample a second for the last 300 seconds, oldest first; also after the end."""
        return self._leg.history()
