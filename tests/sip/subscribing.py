"""Both ends of a subscription as tests drive them: a subscriber and a notifier (RFC 6665)."""

from __future__ import annotations

from trivox.sip.event_headers import EventName
from trivox.sip.notifier import Notifier
from trivox.sip.outputs import SendRequest, SendResponse
from trivox.sip.subscriber import Subscriber
from trivox.sip.subscription import Wish

KIND = "application/simple-message-summary"


class Watching:
    """A subscriber whose requests get transactions 1, 2, 3 …"""

    def __init__(self, identity, far_end, **wish) -> None:
        self.far_end = far_end
        usual = {"event": EventName("message-summary"), "target": "sip:box@example.com"}
        wish = {"accept": (KIND,), **usual} | wish
        self.machine = Subscriber(
            Wish(
                identity=identity,
                call_id="call-1",
                local_tag="us",
                cnonce="c",
                **wish,
            )
        )
        self.sent: list[SendRequest] = []
        self.answers: list[SendResponse] = []
        self.notifies = 0

    def carry(self, outputs):
        told = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent.append(output)
                self.machine.sent(len(self.sent))
            elif isinstance(output, SendResponse):
                self.answers.append(output)
            else:
                told.append(output)
        return told

    def begin(self, now: float = 0.0):
        return self.carry(self.machine.subscribe(now))

    def hears(self, status: int, now: float = 0.0, tx: int = 0, **more):
        tx = tx or len(self.sent)
        message = self.far_end.response(self.sent[tx - 1], status, **more)
        return self.carry(self.machine.handle(self.far_end.answers(tx, message), now))

    def told(
        self, state: str, now: float = 0.0, *, tag="them", cseq=0, event="message-summary", **more
    ):
        self.notifies += 1
        headers = (("Event", event), ("Subscription-State", state), *more.pop("more", ()))
        notify = self.far_end.request(
            "NOTIFY", from_tag=tag, cseq=cseq or self.notifies, more=headers, **more
        )
        return self.carry(self.machine.handle(self.far_end.asks(50, notify), now))

    def later(self, now: float):
        return self.carry(self.machine.handle_timeout(now))


class Telling:
    """A notifier whose NOTIFYs get transactions 1, 2, 3 …"""

    def __init__(self, identity, far_end, *, more=(), **words) -> None:
        self.far_end = far_end
        headers = (("Event", "message-summary"), *more)
        request = far_end.request("SUBSCRIBE", to_tag="", more=headers, **words)
        self.machine = Notifier(request, 7, identity=identity, local_tag="us", cnonce="c")
        self.sent: list[SendRequest] = []

    def carry(self, outputs):
        told = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent.append(output)
                self.machine.sent(len(self.sent))
            else:
                told.append(output)
        return told

    def hears(self, status: int, now: float = 0.0, **more):
        message = self.far_end.response(self.sent[-1], status, **more)
        event = self.far_end.answers(len(self.sent), message)
        return self.carry(self.machine.handle(event, now))

    def asked(self, method="SUBSCRIBE", now=1.0, *, cseq=5, event="message-summary", more=()):
        request = self.far_end.request(method, cseq=cseq, more=(("Event", event), *more))
        return self.carry(self.machine.handle(self.far_end.asks(9, request), now))

    def state_told(self, index: int = -1) -> str | None:
        return self.far_end.header(self.sent[index], "Subscription-State")
