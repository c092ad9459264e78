"""Conferences: who is in one, what is told of it, and how it ends."""

from __future__ import annotations

import wave
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox
from trivox.media.engine import EngineEventKind


async def until_ended(call) -> None:
    await call.answer()
    await call.wait_ended()


@asynccontextmanager
async def three_calls(world):
    made = world()
    async with made.with_server(until_ended) as (client, uri):
        async with client.dial(uri) as one, client.dial(uri) as two, client.dial(uri) as three:
            yield made.engine, client, (one, two, three)
    counts = made.engine.counts()
    assert (counts["rooms"], counts["members"], counts["sessions"]) == (0, 0, 0)


async def test_members_come_and_go_and_it_is_told(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, calls):
        async with client.create_conference("standup") as conference:
            events = conference.events()
            members = [conference.add(call) for call in calls]
            assert conference.members.value == frozenset(members)
            assert engine.counts()["members"] == 3

            conference.remove(calls[0])
            conference.remove(calls[0])
            calls[1].hangup()

            assert conference.members.value == frozenset(members[2:])
            assert not members[0].is_present
            assert conference.get(calls[2]) is members[2]
            assert calls[0].state.value is trivox.CallState.CONNECTED
        told = [type(event).__name__ async for event in events]
        assert told == ["MemberJoined"] * 3 + ["MemberLeft"] * 3 + ["ConferenceEnded"]
        assert calls[2].state.value is trivox.CallState.CONNECTED


async def test_subscribers_are_told_who_is_there(autojump_clock, world) -> None:
    """RFC 4575 §5: each member is a user with a device, its state and its stream."""
    room = "sip:room@10.0.0.1"
    async with three_calls(world) as (_, client, calls):
        async with client.create_conference() as conference:
            conference.add(calls[0])
            conference.add(calls[1], send=False)
            info = conference.info(room, version=3, subject="Standup")
            conference.remove(calls[0])
            later = conference.info(room, version=4)

    assert trivox.ConferenceInfo.parse_untrusted(info.to_body()) == info
    assert (info.entity, info.version, info.subject, info.user_count) == (room, 3, "Standup", 2)
    uris = {user.entity for user in info.users}
    assert uris == {call.remote_sip_uri.value for call in calls[:2]}
    endpoints = [endpoint for user in info.users for endpoint in user.endpoints]
    assert [endpoint.status for endpoint in endpoints] == ["connected", "connected"]
    assert sorted(endpoint.media[0] for endpoint in endpoints) == [
        ("audio", "recvonly"),
        ("audio", "sendrecv"),
    ]
    assert (later.user_count, later.version) == (1, 4)


async def test_the_active_speaker_can_be_watched_and_is_told(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, calls):
        async with client.create_conference() as conference:
            one, two = conference.add(calls[0]), conference.add(calls[1])
            told = []
            conference.on(trivox.ActiveSpeakerChanged, lambda event: told.append(event.member))
            room = next(iter(engine._rooms))
            for speaker in (calls[0], calls[1]):
                conference._media.sessions.speak(room, speaker._leg.session)
                await trio.sleep(0.1)
            assert conference.active_speaker.value is two

            two.remove()

            assert conference.active_speaker.value is None
            assert told == [one, two, None]


async def test_what_a_member_is_set_to_reaches_the_engine(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, calls):
        async with client.create_conference() as conference:
            agent = conference.add(calls[0], gain=-6)
            supervisor = conference.add(calls[1], send=False)
            room = next(iter(engine._rooms.values()))
            sessions = [call._leg.session for call in calls]
            assert room.members[sessions[0]] == (-6.0, False, False, None)
            assert room.members[sessions[1]] == (0.0, True, False, None)

            supervisor.unmute()
            supervisor.whisper_to(agent)
            agent.gain = 3
            agent.deafen()
            assert room.members[sessions[1]] == (0.0, False, False, sessions[0])
            assert room.members[sessions[0]] == (3.0, False, True, None)
            agent.undeafen()
            agent.mute()
            assert (agent.is_muted, agent.is_deaf, agent.gain) == (True, False, 3.0)

            agent.remove()
            agent.unmute()

            assert supervisor.whispers_to is agent
            assert room.members[sessions[1]] == (0.0, True, False, None), "heard by nobody"
            supervisor.whisper_to(None)
            assert room.members[sessions[1]] == (0.0, False, False, None)


async def test_misuse_is_refused_before_any_effect(autojump_clock, world) -> None:
    async with three_calls(world) as (_, client, calls):
        conference = client.create_conference()
        with pytest.raises(trivox.EngineError):
            conference.add(calls[0])
        async with conference, client.create_conference() as other:
            with pytest.raises(trivox.CallWrongStateError):
                conference.add(client.create_call("sip:x@10.0.0.2"))
            with pytest.raises(trivox.InvalidArgumentsError):
                conference.add(calls[0], gain=31)
            member = conference.add(calls[0])
            with pytest.raises(trivox.CallJoinedError):
                other.add(calls[0])
            with pytest.raises(trivox.CallJoinedError):
                async with client.bridge(calls[1], calls[0]):
                    pass
            with pytest.raises(trivox.InvalidArgumentsError):
                member.whisper_to(member)
            with pytest.raises(trivox.InvalidArgumentsError):
                member.gain = -61
            calls[2].hangup()
            with pytest.raises(trivox.CallEndedError):
                conference.add(calls[2])
            assert conference.members.value == {member}
        with pytest.raises(trivox.InvalidArgumentsError):
            client.create_conference(3)


async def test_a_recording_is_finalised_by_leaving_it_or_the_conference(
    autojump_clock, world, tmp_path
) -> None:
    async with three_calls(world) as (_, client, calls):
        async with client.create_conference() as conference:
            conference.add(calls[0])
            async with conference.recording(tmp_path / "first.wav") as recording:
                await trio.sleep(2)
            assert recording.seconds == pytest.approx(2, abs=0.05)
            second = conference.recording(tmp_path / "second.wav")
            await second.__aenter__()
            await trio.sleep(1)
        await second.__aexit__(None, None, None)
        assert second.seconds == pytest.approx(1, abs=0.05)

        with wave.open(str(tmp_path / "second.wav")) as file:
            assert file.getnframes() == pytest.approx(16_000, abs=800)


async def test_every_way_in_and_out_is_a_checkpoint(autojump_clock, world, tmp_path) -> None:
    async with three_calls(world) as (_, client, _):
        conference = client.create_conference()
        with assert_checkpoints():
            await conference.__aenter__()
        recording = conference.recording(tmp_path / "c.wav")
        with assert_checkpoints():
            await recording.__aenter__()
        with assert_checkpoints():
            await recording.__aexit__(None, None, None)
        with assert_checkpoints():
            await conference.__aexit__(None, None, None)


async def test_an_error_in_the_room_ends_it_and_no_call(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, calls):
        async with client.create_conference() as conference:
            conference.add(calls[0])
            events = conference.events(trivox.ConferenceEnded)
            engine._events.append((next(iter(engine._rooms)), 2, 0.0, "broken"))
            await trio.sleep(0.1)

            assert [event.error async for event in events] == ["broken"]
            assert not conference.is_active
            async with client.bridge(calls[0], calls[1]):
                pass


async def test_one_that_is_cancelled_on_entering_leaves_nothing(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, _):
        with trio.CancelScope() as scope:
            scope.cancel()
            async with client.create_conference():
                pytest.fail("it is cancelled")
        assert engine.counts()["rooms"] == 0

        async with client.create_conference() as conference:
            with trio.CancelScope() as scope:
                scope.cancel()
                async with conference.recording("never.wav"):
                    pytest.fail("it is cancelled")
            assert not conference._recordings


async def test_who_leaves_at_the_end_is_not_brought_back(autojump_clock, world) -> None:
    async with three_calls(world) as (_, client, calls):
        refused = []

        def bring_back(event) -> None:
            with pytest.raises(trivox.EngineError) as error:
                conference.add(event.member.call)
            refused.append(error)

        async with client.create_conference() as conference:
            conference.add(calls[0])
            conference.on(trivox.MemberLeft, bring_back)

        assert len(refused) == 1
        assert calls[0]._leg.joint is None


async def test_one_that_fails_under_a_whisper_ends_alone(autojump_clock, world) -> None:
    async with three_calls(world) as (engine, client, calls):
        async with client.create_conference() as conference:
            agent, supervisor = conference.add(calls[0]), conference.add(calls[1])
            supervisor.whisper_to(agent)
            del engine._rooms[conference._room]

            conference.handle_engine_event(EngineEventKind.FAILED, 0.0, "a panic")

            assert not conference.is_active
            assert calls[0].state.value is trivox.CallState.CONNECTED
