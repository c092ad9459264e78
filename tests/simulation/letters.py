"""What parties say to each other beside their calls: subscriptions with their states, and messages.

Callers subscribe to the mailboxes of callees, through both proxies, and send them MESSAGEs outside of
calls. A mailbox counts up; each state is the number of its new messages, so that whoever is told can
be held against what was said.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from trivox import (
    IncomingMessage,
    MessageCounts,
    MessageSummary,
    SubscriptionRequested,
)
from trivox.errors import CallWrongStateError, TrivoxError

from .stage import HOME_NAME, PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trivox import Client, Subscription, Watcher

    from .shape import Shape
    from .stage import Stage
    from .world import Outcome

EXPIRES = 60
"""Seconds a subscription lasts: it is refreshed several times in a run."""
PAUSES = (1.0, 30.0)
"""Seconds between two states of a mailbox."""
LEAST = 90.0
"""Seconds that it lasts at least."""
SETTLING = 40.0
"""Seconds after the last state by which every watcher has it: 64·T1, and the way."""


@dataclass(slots=True)
class Watch:
    """One subscription of a caller, and what it was told."""

    party: str
    mailbox: str
    subscription: Subscription
    told: list[int] = field(default_factory=list)
    failure: str = ""
    """What it raised."""


@dataclass(slots=True)
class Letter:
    """One MESSAGE outside of calls."""

    number: int
    party: str
    mailbox: str
    status: int = 0
    """Of its response; 0 when none came."""


@dataclass(slots=True)
class Post:
    """The record of all of it."""

    watches: list[Watch] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    received: dict[str, list[int]] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    """The last state of each mailbox."""


class Letters:
    """The programs of both sides."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.post = Post()
        self.stage: Stage
        self._seed = seed
        self._shape = shape
        self._watchers: dict[str, list[Watcher]] = {}

    def attend(self, party: str, client: Client) -> None:
        """Let a callee have a mailbox, after each of its beginnings."""
        if not party.startswith("callee"):
            return
        watchers = self._watchers[party] = []
        received = self.post.received.setdefault(party, [])

        def accept(event: SubscriptionRequested) -> None:
            watchers.append(event.accept(self._state(party)))

        def take(event: IncomingMessage) -> None:
            if event.text.isascii() and event.text.isdigit():
                received.append(int(event.text))

        client.on(SubscriptionRequested, accept)
        client.on(IncomingMessage, take)

    async def run(self, length: float) -> None:
        """Do all of it within so many seconds, or a little more; let the last states arrive."""
        shape, is_real = self._shape, self.stage.is_real
        length = length if is_real else max(length, LEAST)
        async with trio.open_nursery() as watching:
            for number in range(shape.watches):
                watching.start_soon(self._watch, number)
            async with trio.open_nursery() as saying:
                saying.start_soon(self._write, length)
                for index in range(shape.callees if shape.watches else 0):
                    saying.start_soon(self._count_up, f"callee{index}", length)
            await trio.sleep(SETTLING / 20 if is_real else SETTLING)
            watching.cancel_scope.cancel()

    def _state(self, party: str) -> MessageSummary:
        count = self.post.said.get(party, 0)
        return MessageSummary(
            has_messages=count > 0, counts={"voice-message": MessageCounts(count, 0, 0, 0)}
        )

    async def _count_up(self, party: str, length: float) -> None:
        draw = random.Random(f"mailbox {self._seed} {party}")
        with trio.move_on_after(length):
            while True:
                await trio.sleep(draw.uniform(*PAUSES) / (20 if self.stage.is_real else 1))
                self.post.said[party] = self.post.said.get(party, 0) + 1
                for watcher in tuple(self._watchers[party]):
                    try:
                        watcher.notify(self._state(party))
                    except CallWrongStateError:
                        self._watchers[party].remove(watcher)

    async def _watch(self, number: int) -> None:
        """Watch a mailbox; should the subscription end, or its client, begin again."""
        shape = self._shape
        party = f"caller{number % shape.callers}"
        mailbox = f"callee{number // shape.callers % shape.callees}"
        while True:
            uri = f"sip:{mailbox}@{HOME_NAME}"
            subscription = self.stage.clients[party].subscribe(uri, PACKAGE, expires=EXPIRES)
            watch = Watch(party, mailbox, subscription)
            self.post.watches.append(watch)
            try:
                async with subscription:
                    async for told in subscription:
                        if isinstance(told.value, MessageSummary) and told.state != "terminated":
                            watch.told.append(told.value.voice.new)
            except (TrivoxError, trio.ClosedResourceError) as error:
                watch.failure = type(error).__name__
            await trio.sleep(5)

    async def _write(self, length: float) -> None:
        """Send letters, one after the other."""
        shape = self._shape
        draw = random.Random(f"letters {self._seed}")
        async with trio.open_nursery() as nursery:
            for number in range(shape.letters):
                await trio.sleep(draw.uniform(0.5, 1.5) * length / shape.letters)
                party = f"caller{draw.randrange(shape.callers)}"
                letter = Letter(number, party, f"callee{draw.randrange(shape.callees)}")
                self.post.letters.append(letter)
                nursery.start_soon(self._send, letter)

    async def _send(self, letter: Letter) -> None:
        client = self.stage.clients[letter.party]
        uri = f"sip:{letter.mailbox}@{HOME_NAME}"
        try:
            response = await client.request(
                "MESSAGE", uri, body=str(letter.number), content_type="text/plain"
            )
            letter.status = response.status
        except (TrivoxError, trio.ClosedResourceError):
            letter.status = 0


def judge_letters(outcome: Outcome) -> Iterator[str]:
    """Say what was told wrongly, twice, or not at all."""
    post, shape = outcome.post, outcome.shape
    for watch in post.watches:
        yield from _judge_watch(watch, post, shape)
    forgets = shape.is_harsh
    for letter in post.letters:
        count = post.received.get(letter.mailbox, []).count(letter.number)
        if count > 1 and not forgets:
            yield f"letter {letter.number} came {count} times"
        if letter.status == 200 and count == 0 and not forgets:
            yield f"letter {letter.number} was answered by nobody who has it"
        if letter.status != 200 and not forgets:
            yield f"letter {letter.number} was answered {letter.status}"


def _judge_watch(watch: Watch, post: Post, shape: Shape) -> Iterator[str]:
    name = f"{watch.party}'s watch of {watch.mailbox}"
    # A flipped bit in a body makes another number of it, and nobody can tell.
    is_truthful = shape.faults.corrupt == 0.0
    if is_truthful and watch.told != sorted(watch.told):
        yield f"{name} went back: {watch.told}"
    end = watch.subscription.end
    if end is None and not watch.failure:
        yield f"{name} has no end"
    said = post.said.get(watch.mailbox, 0)
    if is_truthful and watch.told and watch.told[-1] > said:
        yield f"{name} was told {watch.told[-1]} of {said}"
    if shape.is_harsh:
        return
    if watch.failure or end is None or end.reason != "left":
        yield f"{name} was lost: {watch.failure} {end}"
    elif not watch.told or watch.told[-1] != said:
        yield f"{name} did not hear the last state, {said}: {watch.told}"


def judge_registrations(outcome: Outcome) -> Iterator[str]:
    """Say who let its registration run out, or refreshed it far too often."""
    shape = outcome.shape
    if shape.is_harsh or (shape.transport != "udp" and outcome.is_real):
        return
    granted: dict[tuple[str, str], list[float]] = {}
    for at, party, direction, data in outcome.trace.messages:
        if direction == "in" and data.startswith(b"SIP/2.0 200") and b" REGISTER\r\n" in data:
            call_id = data.partition(b"\r\nCall-ID: ")[2].partition(b"\r\n")[0]
            granted.setdefault((party, call_id.decode()), []).append(at)
    ends = outcome.trace.messages[-1].at
    for (party, _), times in granted.items():
        fresh = sorted(set(times))
        gaps = [after - before for before, after in zip(fresh, [*fresh[1:], ends], strict=True)]
        # The answer may have been on its way for a while, and was perhaps not the first copy.
        if max(gaps) > shape.registered + shape.round_trip:
            yield f"{party} was not registered for {max(gaps) - shape.registered:.1f} s"
        most = 4 + 4 * (ends - fresh[0]) / shape.registered
        if len(fresh) > most:
            yield f"{party} was registered {len(fresh)} times"
