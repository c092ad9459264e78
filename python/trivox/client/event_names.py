"""Names for the events of a client."""

from __future__ import annotations

from enum import Enum

from trivox.call.client_events import (
    DispositionReceived,
    HandlerFailed,
    IncomingCall,
    IncomingMessage,
    ListenerFailed,
)
from trivox.client.registration_events import RegistrationFailed
from trivox.client.watcher import SubscriptionRequested


class ClientEventName(Enum):
    """Names for the classes, for those who come from an interface with event names."""

    INCOMING_CALL = IncomingCall
    INCOMING_MESSAGE = IncomingMessage
    DISPOSITION_RECEIVED = DispositionReceived
    SUBSCRIPTION_REQUESTED = SubscriptionRequested
    REGISTRATION_FAILED = RegistrationFailed
    LISTENER_FAILED = ListenerFailed
    HANDLER_FAILED = HandlerFailed
