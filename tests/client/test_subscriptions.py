"""SUBSCRIBE and NOTIFY between clients, and against a scripted far end (RFC 6665)."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox
from trivox import MessageCounts, MessageSummary, NotifierState, SubscriptionState
from trivox.errors import (
    ConnectionNetworkError,
    InvalidArgumentsError,
    InvalidUriError,
    SubscriptionError,
)

SERVER = "10.0.0.2"
MAILBOX = f"sip:alice@{SERVER}:5060;transport=udp"
NOTHING = MessageSummary(has_messages=False)
SOMETHING = MessageSummary(
    has_messages=True, account="sip:alice@x", counts={"voice-message": MessageCounts(2, 8, 1, 0)}
)


@asynccontextmanager
async def watched(world, listener=None, **settings):
    """A client that subscribes and one that tells; its watchers are kept in a list."""
    stage = world()
    watchers: list[trivox.Watcher] = []

    def accept(event: trivox.SubscriptionRequested) -> None:
        watchers.append(event.accept(NOTHING))

    packages = settings.pop("event_packages", ("message-summary", "dialog"))
    async with (
        stage.client() as one,
        stage.client(SERVER, event_packages=packages, **settings) as two,
    ):
        two.on(trivox.SubscriptionRequested, listener or accept)
        yield one, two, watchers


async def test_a_mailbox_tells_its_state_and_each_change(autojump_clock, world) -> None:
    async with watched(world) as (one, two, watchers):
        async with one.subscribe(MAILBOX, "message-summary") as subscription:
            first = await anext(subscription)
            watchers[0].notify(SOMETHING)
            second = await anext(subscription)

            assert first.value == NOTHING
            assert second.value == SOMETHING
            assert second.value.voice.new == 2
            assert (second.state, second.content_type) == (
                "active",
                "application/simple-message-summary",
            )
            assert subscription.state.value is SubscriptionState.ACTIVE
            assert watchers[0].uri == MAILBOX
            assert watchers[0].from_uri == "sip:trivox@10.0.0.1"
        assert subscription.state.value is SubscriptionState.TERMINATED
        assert subscription.end == trivox.SubscriptionEnd(reason="left")
        assert watchers[0].state.value is NotifierState.OVER
        await trio.sleep(40)
        assert one.statistics().tokens == two.statistics().tokens == 0
        assert one.statistics().timers == two.statistics().timers == 0


@pytest.mark.parametrize(
    ("package", "info"),
    [
        (
            "dialog",
            trivox.DialogInfo(
                entity="sip:alice@x",
                version=3,
                dialogs=(trivox.DialogEntry(id="1", state="confirmed", remote_uri="sip:b@x"),),
            ),
        ),
        (
            "reg",
            trivox.RegInfo(
                registrations=(
                    trivox.RegisteredAddress(
                        aor="sip:alice@x",
                        id="1",
                        state="active",
                        contacts=(trivox.RegisteredContact(id="2", uri="sip:alice@y"),),
                    ),
                )
            ),
        ),
        (
            "conference",
            trivox.ConferenceInfo(
                entity="sip:room@x", users=(trivox.ConferenceUser(entity="sip:alice@x"),)
            ),
        ),
    ],
)
async def test_events_are_told_as_values(autojump_clock, world, package, info) -> None:
    """RFC 4235, RFC 3680 §4, RFC 4575 §3: each package with its own type of body."""

    def accept(event: trivox.SubscriptionRequested) -> None:
        event.accept(info)

    async with watched(world, accept, event_packages=[package]) as (one, _, _):
        async with one.subscribe(MAILBOX, package) as subscription:
            assert (await anext(subscription)).value == info


async def test_the_notifier_ends_it_for_good(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        async with one.subscribe(MAILBOX, "message-summary") as subscription:
            await anext(subscription)
            watchers[0].terminate("noresource")
            told = [notification.state async for notification in subscription]

            assert told == ["terminated"]
            assert subscription.end is not None
            assert subscription.end.reason == "noresource"


async def test_a_deactivated_subscription_begins_anew_at_once(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        async with one.subscribe(MAILBOX, "message-summary") as subscription:
            await anext(subscription)
            began = trio.current_time()
            watchers[0].terminate("deactivated")
            states = [(await anext(subscription)).state for _ in range(2)]

            assert states == ["terminated", "active"]
            assert trio.current_time() - began < 0.1
            assert len(watchers) == 2


async def test_a_way_that_is_not_found_is_looked_for_ever_more_seldom(
    autojump_clock, world, monkeypatch
) -> None:
    async with (
        watched(world) as (one, _, watchers),
        one.subscribe(MAILBOX, "message-summary") as subscription,
    ):
        tries: list[float] = []

        async def lost(_asked: object) -> None:
            tries.append(trio.current_time())
            raise ConnectionNetworkError("the name is not known")

        with monkeypatch.context() as names:
            names.setattr(subscription._desk, "route", lost)
            watchers[0].terminate("deactivated")
            await trio.sleep(50)

        waits = [round(after - before) for before, after in itertools.pairwise(tries)]
        assert waits == [2, 4, 8, 16]
        await subscription.state.wait_value(SubscriptionState.ACTIVE)


async def test_probation_waits_as_long_as_it_is_told(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        async with one.subscribe(MAILBOX, "message-summary") as subscription:
            await anext(subscription)
            began = trio.current_time()
            watchers[0].terminate("probation", retry_after=90)
            [await anext(subscription) for _ in range(2)]

            assert trio.current_time() - began == pytest.approx(90.04, abs=0.02)


async def test_it_is_refreshed_before_its_time_is_over(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        async with one.subscribe(MAILBOX, "message-summary", expires=60) as subscription:
            await trio.sleep(1000)

            assert len(watchers) == 1
            assert watchers[0].state.value is NotifierState.ACTIVE
            assert subscription.state.value is SubscriptionState.ACTIVE
            assert subscription.lost == 0


async def test_a_deferred_one_is_pending_until_it_is_accepted(autojump_clock, world) -> None:
    requests = []

    def defer(event: trivox.SubscriptionRequested) -> None:
        event.defer()
        requests.append(event)

    async with watched(world, defer) as (one, _, _):
        async with one.subscribe(MAILBOX, "message-summary") as subscription:
            first = await anext(subscription)
            requests[0].accept(SOMETHING)
            second = await anext(subscription)

            assert (first.state, first.value) == ("pending", None)
            assert (second.state, second.value) == ("active", SOMETHING)


@pytest.mark.parametrize(("event", "status"), [("message-summary", 603), ("presence", 489)])
async def test_a_refusal_raises_with_its_status(autojump_clock, world, event, status) -> None:
    async with watched(world, lambda event: event.reject()) as (one, _, _):
        with pytest.raises(SubscriptionError) as caught:
            async with one.subscribe(MAILBOX, event):
                pytest.fail("it was refused")

        assert caught.value.sip_code == status


async def test_what_nobody_decides_is_refused_after_8_seconds(autojump_clock, world) -> None:
    requests = []
    async with watched(world, requests.append) as (one, _, _):
        began = trio.current_time()
        with pytest.raises(SubscriptionError):
            async with one.subscribe(MAILBOX, "dialog"):
                pytest.fail("it was refused")

        assert trio.current_time() - began == pytest.approx(8.02, abs=0.01)
        with pytest.raises(trivox.CallWrongStateError):
            requests[0].accept()


async def test_without_a_listener_it_is_forbidden(autojump_clock, world) -> None:
    stage = world()
    async with stage.client() as one, stage.client(SERVER, event_packages=["dialog"]):
        with pytest.raises(SubscriptionError) as caught:
            async with one.subscribe(MAILBOX, "dialog"):
                pytest.fail("it was refused")

    assert caught.value.sip_code == 403


@pytest.mark.parametrize(
    ("settings", "limit"),
    [({"max_subscriptions": 2}, 2), ({"max_subscriptions_per_source": 3}, 3)],
)
async def test_more_subscriptions_than_the_limit_get_503(
    autojump_clock, world, settings, limit
) -> None:
    async with watched(world, **settings) as (one, _, _):
        subscriptions = [one.subscribe(MAILBOX, "dialog") for _ in range(limit)]
        for subscription in subscriptions:
            await subscription.__aenter__()
        with pytest.raises(SubscriptionError) as caught:
            async with one.subscribe(MAILBOX, "dialog"):
                pytest.fail("it was refused")

        assert (caught.value.sip_code, caught.value.retry_after) == (503, 5.0)
        subscriptions[0].close()
        await trio.sleep(1)
        async with one.subscribe(MAILBOX, "dialog"):
            pass


async def test_our_own_subscriptions_have_a_limit(autojump_clock, world) -> None:
    stage = world()
    async with (
        stage.client(max_subscriptions=1) as one,
        stage.client(SERVER, event_packages=["dialog"]) as two,
    ):
        two.on(trivox.SubscriptionRequested, lambda event: event.accept())
        async with one.subscribe(MAILBOX, "dialog"):
            with pytest.raises(InvalidArgumentsError, match="max_subscriptions"):
                async with one.subscribe(MAILBOX, "dialog"):
                    pytest.fail("there are too many")


async def test_closing_the_notifier_tells_its_watchers(autojump_clock, world) -> None:
    stage = world()
    async with stage.client() as one:
        async with stage.client(SERVER, event_packages=["dialog"]) as two:
            two.on(trivox.SubscriptionRequested, lambda event: event.accept())
            subscription = one.subscribe(MAILBOX, "dialog")
            await subscription.__aenter__()
            await anext(subscription)

        last = await anext(subscription)
        assert last.state == "terminated"
        subscription.close()


async def test_closing_the_subscriber_ends_its_subscriptions(autojump_clock, world) -> None:
    stage = world()
    watchers = []
    async with stage.client(SERVER, event_packages=["dialog"]) as two:
        two.on(trivox.SubscriptionRequested, lambda event: watchers.append(event.accept()))
        async with stage.client() as one:
            subscription = one.subscribe(MAILBOX, "dialog")
            await subscription.__aenter__()

        assert watchers[0].state.value is NotifierState.OVER


async def test_cancelling_the_wait_for_the_answer_leaves_nothing(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        with trio.move_on_after(1):
            async with client.subscribe(far.uri, "dialog"):
                pytest.fail("nobody answers")
        await trio.sleep(64)

        assert client.statistics().tokens == 0


async def test_a_dialog_made_after_everybody_has_left_is_forgotten(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        with trio.move_on_after(1):
            async with client.subscribe(far.uri, "message-summary"):
                pass
        subscribe = await far.expect("SUBSCRIBE")
        await trio.sleep(20)

        far.respond(subscribe, 200, headers=[("Expires", "3600")])
        await trio.sleep(60)

        figures = dict(client._wiring.endpoint.core.statistics())
        assert (figures["transactions"], figures["dialogs"]) == (0, 0)
        assert client.statistics().tokens == 0


async def test_a_2xx_of_a_branch_that_never_notifies_leaves_no_dialog(
    autojump_clock, world
) -> None:
    """RFC 6665 §4.4.1: NOTIFYs make the dialogs of a forked SUBSCRIBE, and only one 2xx arrives."""
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        subscription = client.subscribe(far.uri, "message-summary")
        nursery.start_soon(subscription.__aenter__)
        subscribe = await far.expect("SUBSCRIBE")
        one, contact = subscribe.dialog(), subscribe.dialog()[5]
        words = {"call_id": one[0], "from_tag": "first-tag", "to_tag": one[1]}
        event = ("Event", "message-summary")
        core = client._wiring.endpoint.core

        active = [event, ("Subscription-State", "active")]
        far.request("NOTIFY", contact, cseq=1, headers=active, **words)
        await far.expect(200)
        far.respond(subscribe, 200, to_tag="other-tag", headers=[("Expires", "3600")])
        await trio.sleep(10)
        assert core.statistics()["dialogs"] == 1

        over = [event, ("Subscription-State", "terminated;reason=noresource")]
        far.request("NOTIFY", contact, cseq=2, headers=over, **words)
        await far.expect(200)
        assert core.statistics()["dialogs"] == 0


async def test_the_words_of_a_subscribe(autojump_clock, world) -> None:
    async with subscribed_to_far(world) as (_, _, subscribe, _):
        assert subscribe.uri == "sip:far@10.0.0.9:5060"
        assert subscribe.header("Event") == "message-summary"
        assert subscribe.header("Expires") == "3600"
        assert subscribe.header("Accept") == "application/simple-message-summary"
        assert subscribe.header("Contact") == "<sip:trivox@10.0.0.1:5060;transport=udp>"


@asynccontextmanager
async def subscribed_to_far(world):
    """A subscription that the far end accepted, and a way to notify it."""
    async with world().with_far_end() as (client, far):
        subscription = client.subscribe(far.uri, "message-summary")
        numbers = iter(range(1, 99))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscription.__aenter__)
            subscribe = await far.expect("SUBSCRIBE")
            far.respond(subscribe, 200, headers=[("Expires", "3600")])

        def notify(state: str, *, tag: str = "far-tag", event: str = "message-summary", more=()):
            far.request(
                "NOTIFY",
                subscribe.dialog()[5],
                call_id=subscribe.header("Call-ID"),
                from_tag=tag,
                to_tag=subscribe.key()[3],
                cseq=next(numbers),
                headers=[("Event", event), ("Subscription-State", state), *more],
            )

        yield subscription, far, subscribe, notify
        subscription.close()


async def test_a_notify_of_another_branch_is_a_fork_of_its_own(autojump_clock, world) -> None:
    """RFC 6665 §4.4.1."""
    async with subscribed_to_far(world) as (subscription, far, _, notify):
        for tag in ("far-tag", "other-tag"):
            notify("active", tag=tag)
            await far.expect(200)
        tags = [(await anext(subscription)).notifier for _ in range(2)]
        notify("terminated;reason=noresource")
        await far.expect(200)

        assert tags == ["far-tag", "other-tag"]
        assert subscription.end is None
        assert subscription.state.value is SubscriptionState.ACTIVE


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"state": "active", "event": "dialog"}, 489),
        ({"state": "active", "event": "message-summary;id=9"}, 481),
        ({"state": ""}, 400),
    ],
)
async def test_a_bad_notify_is_refused(autojump_clock, world, words, status) -> None:
    async with subscribed_to_far(world) as (_, far, _, notify):
        notify(**words)

        assert await far.expect(status)


async def test_a_subscription_nobody_tells_of_begins_anew(autojump_clock, world) -> None:
    async with subscribed_to_far(world) as (subscription, far, first, _):
        began = trio.current_time()
        again = await far.expect("SUBSCRIBE")

        assert trio.current_time() - began == pytest.approx(32, abs=0.1)
        assert again.header("Call-ID") != first.header("Call-ID")
        far.respond(again, 404)
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
        assert subscription.end is not None
        assert subscription.end.sip_code == 404


async def test_wrong_arguments_raise_at_the_call(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        for wrong in ({"expires": 0}, {"accept": "text/plain"}, {"event": 5}, {"body": "x"}):
            with pytest.raises(InvalidArgumentsError):
                one.subscribe(MAILBOX, **({"event": "dialog"} | wrong))
        with pytest.raises(InvalidUriError):
            one.subscribe("alice", "dialog")
        async with one.subscribe(MAILBOX, "message-summary"):
            with pytest.raises(InvalidArgumentsError):
                watchers[0].terminate("no;way")
            with pytest.raises(InvalidArgumentsError, match="MessageSummary"):
                watchers[0].notify(5)  # type: ignore[arg-type]
            watchers[0].terminate()
            with pytest.raises(trivox.CallWrongStateError):
                watchers[0].notify(NOTHING)


async def test_a_refer_from_a_stranger_is_forbidden(autojump_clock, world) -> None:
    async with world().with_far_end() as (_, far):
        far.request("REFER", "sip:bot@10.0.0.1", headers=[("Refer-To", "<sip:x@y>")])

        assert await far.expect(403)


async def test_composing_is_told_as_a_value(autojump_clock, world) -> None:
    """RFC 3994 §3."""
    stage = world()
    seen = []
    async with stage.client() as one, stage.client(SERVER) as two:
        two.on(trivox.IncomingMessage, lambda event: seen.append(event.composing))
        said = trivox.IsComposing(is_active=True, content_type="text/plain", refresh=90)
        await one.request(
            "MESSAGE", MAILBOX, body=said.to_body(), content_type="application/im-iscomposing+xml"
        )
        await one.request("MESSAGE", MAILBOX, body="hello", content_type="text/plain")

    assert seen == [said, None]


async def test_closing_waits_for_a_silent_notifier_as_long_as_the_grace(
    autojump_clock, world
) -> None:
    ended = []
    stage = world()
    async with trio.open_nursery() as nursery:
        async with stage.with_far_end(shutdown_grace=3.0) as (client, far):
            subscription = client.subscribe(far.uri, "message-summary")

            async def watch() -> None:
                await subscription.__aenter__()
                ended.append([state async for state in subscription])

            nursery.start_soon(watch)
            far.respond(await far.expect("SUBSCRIBE"), 200, headers=[("Expires", "3600")])
            await trio.sleep(1)
            began = trio.current_time()
        assert trio.current_time() - began == pytest.approx(3.0, abs=0.1)

    assert ended == [[]]
    assert client.statistics().tokens == client.statistics().timers == 0


async def test_the_methods_of_a_subscription_are_checkpoints(autojump_clock, world) -> None:
    async with watched(world) as (one, _, watchers):
        subscription = one.subscribe(MAILBOX, "message-summary")
        with assert_checkpoints():
            await subscription.__aenter__()
        await trio.sleep(1)
        with assert_checkpoints():
            await anext(subscription)
        watchers[0].terminate()
        await trio.sleep(1)
        with assert_checkpoints():
            await subscription.__aexit__(None, None, None)


@pytest.mark.native
async def test_events_travel_over_real_sockets() -> None:
    listen = ["sip:127.0.0.1:0;transport=tcp"]
    with trio.fail_after(20):
        async with (
            trivox.open_client(listen=listen) as one,
            trivox.open_client(listen=listen, event_packages=["message-summary"]) as two,
        ):
            two.on(trivox.SubscriptionRequested, lambda event: event.accept(SOMETHING))
            mailbox = str(two.listening_on[0]).replace("sip:", "sip:alice@", 1)
            async with one.subscribe(mailbox, "message-summary") as subscription:
                assert (await anext(subscription)).value == SOMETHING
