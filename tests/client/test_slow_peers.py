"""Far ends that connect and say nothing, or say it slowly, keep nobody else out."""

from __future__ import annotations

import pytest
import trio
from tests.net.certificates import Authority

import trivox
from trivox.call.states import CallState

SERVER, GOOD, BAD = "10.0.0.1", "10.0.0.2", "10.0.0.66"


async def answering(call):
    await call.answer()
    await call.wait_ended()


@pytest.mark.slow
@pytest.mark.parametrize("limits", [{}, {"per_address": 50}, {"total": 200}])
@pytest.mark.parametrize("transport", ["tcp", "tls", "ws"])
async def test_a_hundred_calls_beside_a_thousand_idle_connections(
    autojump_clock, world, tmp_path, transport, limits
):
    own = world(transport=transport)
    authority = Authority(tmp_path)
    tls = trivox.TlsConfig(certificate=authority.issue("own", SERVER, GOOD), ca=authority.root)
    server = own.client(SERVER, tls=tls, limits=trivox.StreamLimits(**limits))
    bad = own.link.host(BAD)
    async with server as callee, own.client(GOOD, tls=tls) as caller:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, answering)
            idle = []
            for _ in range(1000):
                connector = bad.open_connector(BAD, (SERVER, 5060))
                nursery.start_soon(connect, connector, idle)
            await trio.sleep(0.5)
            assert len(idle) == 1000

            connected = []

            async def call():
                async with caller.dial(f"sip:bob@{SERVER}:5060;transport={transport}") as made:
                    connected.append(made.state.value)
                    await trio.sleep(60)

            async with trio.open_nursery() as calls:
                for _ in range(100):
                    calls.start_soon(call)
            assert connected == [CallState.CONNECTED] * 100

            assert callee.statistics().sip.flows <= 3, "who says nothing is gone after 10 s"
            for connection in idle:
                connection.close()
            nursery.cancel_scope.cancel()


async def connect(connector, idle):
    idle.append(await connector.connect())


def test_each_limit_is_a_setting_of_the_client():
    config = trivox.ClientConfig.from_mapping(
        {
            "limits": {
                "connect": 1,
                "message": 2,
                "idle": 3,
                "ping": 4,
                "per_address": 5,
                "total": 6,
            },
            "tls": {"ca": "roots.pem", "verify_client": "required"},
            "origins": ["https://example.org"],
        }
    )

    assert config.limits == trivox.StreamLimits(
        connect=1, message=2, idle=3, ping=4, per_address=5, total=6
    )
    assert config.tls == trivox.TlsConfig(ca="roots.pem", verify_client="required")
    assert config.origins == ("https://example.org",)


@pytest.mark.parametrize(
    "limits", [{"connect": 0}, {"idle": -1}, {"per_address": 0}, {"total": "many"}, {"slow": 1}]
)
def test_a_limit_of_no_use_says_so(limits):
    with pytest.raises(trivox.InvalidArgumentsError):
        trivox.ClientConfig.from_mapping({"limits": limits})
