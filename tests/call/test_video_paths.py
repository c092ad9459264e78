"""Video by a path of its own: what the engine tells of it reaches the program."""

from __future__ import annotations

import trio
import trio.testing

from trivox.call.events import Originator
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.call.video_events import VideoPathFailed, VideoPathRestored
from trivox.media.engine import EngineEventKind
from trivox.media.video import EncodedVideoSource

from .conftest import World

LINE = 1


async def test_a_dead_path_is_told_with_what_went_by_it(autojump_clock) -> None:
    world, told = World(), []

    async def handler(call) -> None:
        await call.answer(CallSettings(receive_video=True))
        await call.wait_ended()

    async with world.with_server(handler) as (client, uri):
        sent = client.streams.create_video_stream(EncodedVideoSource())
        async with client.dial(uri, CallSettings(media="webrtc", streams=(sent,))) as call:
            call.on(VideoPathFailed, told.append)
            call.on(VideoPathRestored, told.append)
            engine, session = world.media.sessions, call._leg.session
            engine._emit(session, EngineEventKind.VIDEO_ADDED, LINE, "video VP8")
            engine._emit(session, EngineEventKind.LINE_FAILED, LINE, "consent is lost")
            engine._emit(session, EngineEventKind.LINE_RESTORED, LINE, "")
            await trio.testing.wait_all_tasks_blocked()
            (received,) = (one for one in call.remote_streams.value if "video" in one.id)

            failed, restored = told
            assert failed.streams == restored.streams == (sent, received)
            assert (failed.reason, failed.originator) == ("consent is lost", Originator.SYSTEM)
            assert type(restored) is VideoPathRestored
            assert call.state.value is CallState.CONNECTED
