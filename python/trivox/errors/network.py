"""What signalling, the far end or the program's own reading of events could not do."""

from trivox.errors.base import RefusedError, TrivoxError


class TransportError(TrivoxError):
    """Signalling could not be sent or received."""


class TargetRefusedError(
    TransportError, advice="allow its network with allowed_networks, if it is one of yours"
):
    """The network named an address we do not send to: loopback or private, seen from outside."""


class ConnectionNetworkError(TransportError, OSError):
    """The network refused: no route, connection refused, address in use."""


class ConnectionTimeoutError(TransportError, TimeoutError):
    """No answer came in the time the protocol allows (Timers B and F, RFC 3261 §17.1)."""


class ConnectionInterruptedError(TransportError):
    """A connection broke while something waited on it."""


class ConnectionInternalError(TransportError):
    """The transport failed inside trivox."""


class HeldBackError(
    TransportError, advice="try later, or somewhere else: the server asked for fewer requests"
):
    """A load filter that the program obeys holds a request back (RFC 7200); it was not sent.

    `.rule` is the filter's name, `.alternative` the URI it sends such requests to, or empty.
    """

    def __init__(
        self,
        message: str = "",
        *,
        rule: str = "",
        alternative: str = "",
        call_id: str | None = None,
    ) -> None:
        super().__init__(message or "a load filter holds it back", call_id=call_id)
        self.rule = rule
        self.alternative = alternative


class AuthenticationError(TrivoxError, advice="check the user, password and realm of the account"):
    """The credentials were refused, or there are none for that realm."""


class RegistrationError(RefusedError):
    """The registrar refused or did not answer (RFC 3261 §10); `retry_after` in seconds, or None."""


class SubscriptionError(
    RefusedError, advice="check the event, the address and whether the other side accepts it"
):
    """A SUBSCRIBE was refused or not answered (RFC 6665 §4.1). Fields as of RegistrationError."""


class SipResponseError(TrivoxError):
    """A request got a final `.response` of 300 or more, and the caller asked for that to raise."""

    def __init__(
        self, message: str = "", *, response: object = None, call_id: str | None = None
    ) -> None:
        super().__init__(message or f"the request was refused: {response}", call_id=call_id)
        self.response = response


class EventOverflowError(
    TrivoxError, advice="read faster, raise max_waiting, or choose a dropping overflow policy"
):
    """A reader of events fell behind, its queue overflowed, and `.lost` events were dropped."""

    def __init__(self, message: str = "", *, lost: int = 0, call_id: str | None = None) -> None:
        super().__init__(message or f"{lost} events were lost", call_id=call_id)
        self.lost = lost
