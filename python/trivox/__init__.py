"""trivox: voice and video calls over SIP and WebRTC for Trio. A call is a task.

`open_client` gives a `Client`, which places calls (`dial`) and takes them (`serve`); `serve_calls`
is a server in one line. Layers, from the bottom: `_native`, `sip`, `net`/`media`/`actor`, `call`,
`client`/`switchboard`, `observe`, and on top of them `testing` and `cli`.
"""

from trivox import errors
from trivox._native import __version__
from trivox.actor.correlation import call_id
from trivox.actor.isolation import ListenerErrorPolicy
from trivox.actor.mailbox import Overflow
from trivox.actor.observers import WatchOptions
from trivox.actor.receipt import Receipt
from trivox.actor.registry import ListenerHandle, ListenerOptions
from trivox.actor.subscription import EventSubscription
from trivox.actor.watchable import ReadonlyWatchable, Watchable
from trivox.call.audio_events import LevelReport, VoiceActivity
from trivox.call.bridge import Bridge, BridgeStatistics, LaneStatistics
from trivox.call.call import Call
from trivox.call.client_events import (
    ClientEvent,
    DispositionReceived,
    HandlerFailed,
    IncomingCall,
    IncomingMessage,
    ListenerFailed,
)
from trivox.call.codec_info import CodecInfo
from trivox.call.codec_settings import OpusSettings
from trivox.call.conference import Conference
from trivox.call.conference_events import (
    ActiveSpeakerChanged,
    ConferenceEnded,
    ConferenceEvent,
    ConferenceRecordingBehind,
    ConferenceRecordingFailed,
    MemberJoined,
    MemberLeft,
)
from trivox.call.conference_member import ConferenceMember
from trivox.call.data_channel import DataChannel
from trivox.call.data_events import DataChannelOpened
from trivox.call.dispositions import MessageReceipt
from trivox.call.event_names import CallEvent
from trivox.call.events import (
    CallEnd,
    CallUpgrade,
    Connected,
    Disconnected,
    DtmfReceived,
    EarlyMediaStarted,
    EndReason,
    Event,
    Failed,
    FirstRtpReceived,
    HoldChanged,
    InfoReceived,
    MediaNegotiated,
    MessageDispositionReceived,
    MessageReceived,
    Originator,
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
from trivox.call.ice_servers import IceServer
from trivox.call.messages import Headers, SipResponse
from trivox.call.origin import CallOrigin
from trivox.call.playback import Played
from trivox.call.quality import (
    QualityIssue,
    QualityIssueCleared,
    QualityIssueRaised,
    QualityLevel,
)
from trivox.call.recording import Recording
from trivox.call.recording_events import RecordingBehind, RecordingFailed
from trivox.call.remote_stream import RemoteStream
from trivox.call.room_recording import RoomRecording
from trivox.call.settings import CallSettings, DtmfMethod, RejectMode
from trivox.call.source_events import HoldMusicFailed
from trivox.call.states import CallDirection, CallState
from trivox.call.streams import (
    LocalScreenSharingStream,
    LocalStream,
    StreamType,
)
from trivox.call.timings import CallTimings
from trivox.call.tone_events import Answerer, AnswererDetected, CallTone, ToneDetected
from trivox.call.trace import TraceRecord
from trivox.call.transfer import TransferResult
from trivox.call.upgrade import UpgradeStatus
from trivox.call.video_events import VideoPathFailed, VideoPathRestored
from trivox.client._messaging import SentMessage
from trivox.client.account import Account, RegistrationInfo
from trivox.client.client import Client, ClientStatistics
from trivox.client.config import AccountConfig, ClientConfig
from trivox.client.credentials import Credentials
from trivox.client.event_names import ClientEventName
from trivox.client.load_filters import ObeyedFilters
from trivox.client.opening import open_client, serve_calls
from trivox.client.registration_events import RegistrationFailed
from trivox.client.states import ClientState
from trivox.client.streams import StreamManager
from trivox.client.subscription import Notification, Subscription, SubscriptionEnd
from trivox.client.takers import IncomingCalls
from trivox.client.watcher import SubscriptionRequested, Watcher
from trivox.errors import *  # noqa: F403
from trivox.media.detection import AnswererDetection, Detection
from trivox.media.encoded_audio import EncodedAudioFrames
from trivox.media.frames import AudioFrame
from trivox.media.marks import Mark, PassedMarks
from trivox.media.pictures import VideoFrame, VideoFrames
from trivox.media.port import AudioPort, Cleared
from trivox.media.push import AsyncIterSource, IterSource, PushSource, RemoteSource
from trivox.media.rtp_tap import RtpPacket, RtpTap
from trivox.media.sinks import CallbackSink, FileSink, PipeSink
from trivox.media.sources import (
    AudioSource,
    FileSource,
    MixSource,
    MusicOnHoldSource,
    RawAudio,
    SharedSource,
    SilenceSource,
    ToneSource,
)
from trivox.media.statistics import ConnectionStatistics, StatisticsReport, StatisticsSample
from trivox.media.stream_statistics import StreamStatistics
from trivox.media.url import UrlSource
from trivox.media.video import (
    EncodedFrame,
    EncodedFrames,
    EncodedVideoSource,
    LayerChoice,
    RemoteVideoSource,
    VideoFileSource,
    VideoLayer,
    VideoSource,
)
from trivox.net.door import DoorLimits
from trivox.net.limits import StreamLimits
from trivox.net.tls import TlsConfig, TlsIdentity
from trivox.observe.ladder import ladder
from trivox.observe.pcapng import write_pcapng
from trivox.sip.composing import IsComposing
from trivox.sip.conference_info import ConferenceEndpoint, ConferenceInfo, ConferenceUser
from trivox.sip.dialog_info import DialogEntry, DialogInfo
from trivox.sip.event_packages import ReferredStatus
from trivox.sip.imdn import Disposition
from trivox.sip.load_control import CallIdentity, LoadControl, LoadIdentity, LoadRule
from trivox.sip.message_summary import MessageCounts, MessageSummary
from trivox.sip.party import AlertInfo, Diversion, HistoryEntry, Party
from trivox.sip.reg_info import RegInfo, RegisteredAddress, RegisteredContact
from trivox.sip.registration import RegistrationState
from trivox.sip.subscription_table import NotifierState, SubscriptionState
from trivox.switchboard import BoardAccount, Switchboard, open_switchboard

__all__ = [
    "Account",
    "AccountConfig",
    "ActiveSpeakerChanged",
    "AlertInfo",
    "Answerer",
    "AnswererDetected",
    "AnswererDetection",
    "AsyncIterSource",
    "AudioFrame",
    "AudioPort",
    "AudioSource",
    "BoardAccount",
    "Bridge",
    "BridgeStatistics",
    "Call",
    "CallDirection",
    "CallEnd",
    "CallEvent",
    "CallIdentity",
    "CallOrigin",
    "CallSettings",
    "CallState",
    "CallTimings",
    "CallTone",
    "CallUpgrade",
    "CallbackSink",
    "Cleared",
    "Client",
    "ClientConfig",
    "ClientEvent",
    "ClientEventName",
    "ClientState",
    "ClientStatistics",
    "CodecInfo",
    "Conference",
    "ConferenceEnded",
    "ConferenceEndpoint",
    "ConferenceEvent",
    "ConferenceInfo",
    "ConferenceMember",
    "ConferenceRecordingBehind",
    "ConferenceRecordingFailed",
    "ConferenceUser",
    "Connected",
    "ConnectionStatistics",
    "Credentials",
    "DataChannel",
    "DataChannelOpened",
    "Detection",
    "DialogEntry",
    "DialogInfo",
    "Disconnected",
    "Disposition",
    "DispositionReceived",
    "Diversion",
    "DoorLimits",
    "DtmfMethod",
    "DtmfReceived",
    "EarlyMediaStarted",
    "EncodedAudioFrames",
    "EncodedFrame",
    "EncodedFrames",
    "EncodedVideoSource",
    "EndReason",
    "Event",
    "EventSubscription",
    "Failed",
    "FileSink",
    "FileSource",
    "FirstRtpReceived",
    "HandlerFailed",
    "Headers",
    "HistoryEntry",
    "HoldChanged",
    "HoldMusicFailed",
    "IceServer",
    "IncomingCall",
    "IncomingCalls",
    "IncomingMessage",
    "InfoReceived",
    "IsComposing",
    "IterSource",
    "LaneStatistics",
    "LayerChoice",
    "LevelReport",
    "ListenerErrorPolicy",
    "ListenerFailed",
    "ListenerHandle",
    "ListenerOptions",
    "LoadControl",
    "LoadIdentity",
    "LoadRule",
    "LocalScreenSharingStream",
    "LocalStream",
    "Mark",
    "MediaNegotiated",
    "MemberJoined",
    "MemberLeft",
    "MessageCounts",
    "MessageDispositionReceived",
    "MessageReceipt",
    "MessageReceived",
    "MessageSummary",
    "MixSource",
    "MusicOnHoldSource",
    "Notification",
    "NotifierState",
    "ObeyedFilters",
    "OpusSettings",
    "Originator",
    "Overflow",
    "Party",
    "PassedMarks",
    "PipeSink",
    "Played",
    "PushSource",
    "QualityIssue",
    "QualityIssueCleared",
    "QualityIssueRaised",
    "QualityLevel",
    "RawAudio",
    "ReadonlyWatchable",
    "Receipt",
    "Reconnected",
    "Reconnecting",
    "Recording",
    "RecordingBehind",
    "RecordingFailed",
    "ReferredStatus",
    "RegInfo",
    "RegisteredAddress",
    "RegisteredContact",
    "RegistrationFailed",
    "RegistrationInfo",
    "RegistrationState",
    "RejectMode",
    "RemoteMediaAdded",
    "RemoteMediaRemoved",
    "RemoteSource",
    "RemoteStream",
    "RemoteVideoSource",
    "Replaced",
    "RoomRecording",
    "RtpPacket",
    "RtpTap",
    "SentMessage",
    "SharedSource",
    "SilenceSource",
    "SipResponse",
    "StartRinging",
    "StatisticsReport",
    "StatisticsSample",
    "StatsReport",
    "StopRinging",
    "StreamEnded",
    "StreamLimits",
    "StreamManager",
    "StreamStatistics",
    "StreamType",
    "Subscription",
    "SubscriptionEnd",
    "SubscriptionRequested",
    "SubscriptionState",
    "Switchboard",
    "TlsConfig",
    "TlsIdentity",
    "ToneDetected",
    "ToneSource",
    "TraceRecord",
    "TransferCompleted",
    "TransferFailed",
    "TransferProgress",
    "TransferRequested",
    "TransferResult",
    "UpgradeStatus",
    "UrlSource",
    "VideoFileSource",
    "VideoFrame",
    "VideoFrames",
    "VideoLayer",
    "VideoPathFailed",
    "VideoPathRestored",
    "VideoSource",
    "VoiceActivity",
    "WatchOptions",
    "Watchable",
    "Watcher",
    "__version__",
    "call_id",
    "ladder",
    "open_client",
    "open_switchboard",
    "serve_calls",
    "write_pcapng",
]
__all__ += errors.__all__
