"""What streams and the media engine could not do."""

from trivox.errors.base import RefusedError, TrivoxError


class StreamError(TrivoxError):
    """Something about a media stream."""


class InactiveStreamError(StreamError, advice="create a new one"):
    """The stream is closed."""


class StreamTypeMismatchError(StreamError):
    """The stream's type does not fit the operation."""


class StreamAlreadySendingError(StreamError):
    """The stream is being sent in this call already."""


class StreamNotSendingError(StreamError):
    """The stream is not being sent in this call."""


class StreamUpdateFailedError(RefusedError, StreamError):
    """The far end refused the change of media. `sip_code` says with what."""


class AudioStreamRequiredError(
    StreamError, advice="leave the call its audio, or set allow_no_audio=True"
):
    """A call was started without any audio."""


class NotSupportedError(StreamError):
    """This build or the agreed media cannot do that."""


class MediaNegotiationError(
    StreamError, advice="compare the codecs and the media kind of both ends"
):
    """The two ends have no media in common, or a session description is wrong (RFC 3264)."""


class BufferOverflowError(StreamError, advice="send slower, or wait for the queue to drain"):
    """A media buffer is full."""


class EngineError(TrivoxError):
    """The media engine failed or panicked; that session is closed, the program goes on."""


class EngineExhaustedError(EngineError, advice="raise the limit of open files: ulimit -n"):
    """No file descriptor, port or memory is left for another call's media."""
