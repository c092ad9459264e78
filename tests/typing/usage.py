"""A program as a user types it: `make types` checks it, nobody runs it."""

from __future__ import annotations

import trio

import trivox


async def menu(call: trivox.Call) -> None:
    await call.answer()
    digit = await call.collect_dtmf(prompt="menu.wav", max_digits=1)
    played = await call.play({"1": "sales.wav"}.get(digit, "sorry.wav"))
    print(played.seconds + 1.0)


def serve() -> None:
    trio.run(trivox.serve_calls, menu, "sip:0.0.0.0:5060;transport=udp")


async def dial() -> int:
    account = trivox.AccountConfig("sip:bot@example.org", password="s3cret")
    async with trivox.open_client(
        listen=["sip:0.0.0.0:0;transport=udp"], accounts=[account]
    ) as client:
        try:
            async with client.dial("sip:bob@example.org") as call, call.recording("answer.wav"):
                await call.play(trivox.FileSource("question.wav"))
        except trivox.CallFailedError as error:
            return error.sip_code
    return 0


async def reference_style(client: trivox.Client) -> trivox.CallEnd:
    call = client.create_call(
        "sip:alice@example.org", trivox.CallSettings(extra_headers={"X-Campaign": "42"})
    )
    call.add_event_listener(trivox.CallEvent.CONNECTED, lambda event: print(event))
    call.add_event_listener(trivox.Disconnected, log_end, trivox.ListenerOptions(once=True))
    await call.start()
    await call.is_on_hold.wait_value(lambda held: held)
    call.hangup({"X-Why": "done"})
    return await call.wait_ended()


def log_end(event: trivox.Disconnected) -> None:
    print(event.reason, event.sip_code)


async def events_have_the_type_asked_for(call: trivox.Call, client: trivox.Client) -> str:
    tone = (await call.wait_event(trivox.DtmfReceived)).tone
    async for event in call.events(trivox.DtmfReceived):
        tone += event.tone
    async for any_event in call.events():
        match any_event:
            case trivox.InfoReceived(mime_type=mime_type):
                tone += mime_type
    end = await call.wait_event(trivox.Disconnected, trivox.Failed)
    async for incoming in client.events(trivox.IncomingCall):
        tone += incoming.call.destination
    return tone + end.call_id


def listeners(call: trivox.Call, client: trivox.Client) -> None:
    with call.on(trivox.DtmfReceived, lambda event: print(event.tone), once=True):
        pass

    @call.on(trivox.Connected, concurrent=True)
    async def connected(event: trivox.Connected) -> None:
        print(event.at)

    @client.on(trivox.IncomingCall)
    def rings(event: trivox.IncomingCall) -> None:
        print(event.call.remote_sip_uri.value)

    print(connected, rings)


async def watch(call: trivox.Call) -> tuple[trivox.CallState, bool]:
    state = await call.state.wait_value(trivox.CallState.CONNECTED, held_for=1.0)
    call.is_microphone_muted.watch(lambda new, old: print(new, old))
    return state, call.toggle_microphone()


async def agent(call: trivox.Call, speech: list[bytes]) -> int:
    heard = 0
    async with call.cancel_on_end():
        with call.audio(rate=24_000) as audio:
            for piece in speech:
                await audio.send(piece)
            async for frame in audio:
                if frame.speech_started and audio.is_playing:
                    heard = audio.clear(fade=0.02).heard_ms
    return heard


async def receipts(call: trivox.Call) -> int:
    response = await call.send_info("text/plain", "x").check()
    await call.send_dtmf("42#", method=trivox.DtmfMethod.INFO).wait()
    return response.status


async def switchboard() -> None:
    async with trivox.open_switchboard(
        listen=["sip:127.0.0.1:5060;transport=udp"], users={"echo": "pw"}, pages="web"
    ) as board:
        async with trivox.open_client(accounts=[board.account("echo")]) as client:
            await client.serve(menu)


async def what_the_types_refuse(call: trivox.Call) -> None:
    call.state.value = trivox.CallState.FAILED  # type: ignore[misc]
    call.on(trivox.Connected, log_end)  # type: ignore[arg-type]
    call.send_dtmf(5)  # type: ignore[arg-type]
    await call.play(5)  # type: ignore[arg-type]
