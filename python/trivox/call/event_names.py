"""Names for the events of a call, and what of them may be left out under load."""

from __future__ import annotations

from enum import Enum
from typing import Final

from trivox.call.audio_events import LevelReport, VoiceActivity
from trivox.call.data_events import DataChannelOpened
from trivox.call.events import (
    CallUpgrade,
    Connected,
    Disconnected,
    DtmfReceived,
    EarlyMediaStarted,
    Failed,
    FirstRtpReceived,
    HoldChanged,
    InfoReceived,
    MediaNegotiated,
    MessageDispositionReceived,
    MessageReceived,
    Reconnected,
    Reconnecting,
    RemoteMediaAdded,
    RemoteMediaRemoved,
    Replaced,
    StartRinging,
    StatsReport,
    StopRinging,
    StreamEnded,
    TransferCompleted,
    TransferFailed,
    TransferProgress,
    TransferRequested,
)
from trivox.call.quality import QualityIssueCleared, QualityIssueRaised
from trivox.call.recording_events import RecordingBehind, RecordingFailed
from trivox.call.source_events import HoldMusicFailed
from trivox.call.tone_events import AnswererDetected, ToneDetected
from trivox.call.video_events import VideoPathFailed, VideoPathRestored


class CallEvent(Enum):
    """Names for the classes, for those who come from an interface with event names."""

    CONNECTED = Connected
    DISCONNECTED = Disconnected
    FAILED = Failed
    START_RINGING = StartRinging
    STOP_RINGING = StopRinging
    EARLY_MEDIA_STARTED = EarlyMediaStarted
    FIRST_RTP_RECEIVED = FirstRtpReceived
    MEDIA_NEGOTIATED = MediaNegotiated
    REMOTE_MEDIA_ADDED = RemoteMediaAdded
    REMOTE_MEDIA_REMOVED = RemoteMediaRemoved
    MESSAGE_RECEIVED = MessageReceived
    MESSAGE_DISPOSITION_RECEIVED = MessageDispositionReceived
    INFO_RECEIVED = InfoReceived
    DTMF_RECEIVED = DtmfReceived
    HOLD_CHANGED = HoldChanged
    HOLD_MUSIC_FAILED = HoldMusicFailed
    STREAM_ENDED = StreamEnded
    CALL_UPGRADE = CallUpgrade
    DATA_CHANNEL_OPENED = DataChannelOpened
    STATS_REPORT = StatsReport
    VOICE_ACTIVITY = VoiceActivity
    LEVEL_REPORT = LevelReport
    TONE_DETECTED = ToneDetected
    ANSWERER_DETECTED = AnswererDetected
    QUALITY_ISSUE_RAISED = QualityIssueRaised
    QUALITY_ISSUE_CLEARED = QualityIssueCleared
    VIDEO_PATH_FAILED = VideoPathFailed
    VIDEO_PATH_RESTORED = VideoPathRestored
    RECORDING_FAILED = RecordingFailed
    RECORDING_BEHIND = RecordingBehind
    RECONNECTING = Reconnecting
    RECONNECTED = Reconnected
    TRANSFER_REQUESTED = TransferRequested
    TRANSFER_PROGRESS = TransferProgress
    TRANSFER_COMPLETED = TransferCompleted
    TRANSFER_FAILED = TransferFailed
    REPLACED = Replaced


DROPPABLE_EVENTS: Final = (StatsReport, LevelReport)
"""Reports whose newest value is all that counts: coalesced first when a queue fills up."""
