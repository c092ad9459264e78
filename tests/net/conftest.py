"""What the tests of sockets share: a link with two hosts, and flows that keep what they get."""

from __future__ import annotations

import pytest
import trio

from trivox.net.limits import StreamLimits
from trivox.net.tcp import TcpFlow
from trivox.testing import Link


class StreamPair:
    """A flow over the virtual link, with a bare connection as its far end."""

    def __init__(self, nursery, *, link, limits):
        self.link = link
        self.near, self.far = link.host("10.0.0.1"), link.host("10.0.0.2")
        self.limits = limits
        self.nursery = nursery
        self.received = []
        self.ended = trio.Event()

    async def connect(self, make):
        """Return (flow, far connection); `make(local, remote, accepted)` makes the flow."""
        listener = self.near.listen_stream(("10.0.0.1", 5060))
        connector = self.far.open_connector("10.0.0.2", listener.local)
        far = await connector.connect()
        connection = await listener.accept()
        listener.close()
        flow = make(connection)
        self.nursery.start_soon(self._run, flow, connection)
        return flow, far

    async def _run(self, flow, connection):
        from trivox.net.wire import Accepted

        await flow.run(Accepted(connection))
        self.ended.set()

    async def connect_tcp(self, deliver=None):
        def take(flow, data):
            self.received.append(data)
            return b"\n" in data

        return await self.connect(
            lambda connection: TcpFlow(
                1,
                connection.local,
                connection.remote,
                self.limits,
                accepted=True,
                deliver=deliver or take,
            )
        )


@pytest.fixture
async def streams(nursery):
    return StreamPair(nursery, link=Link(7), limits=StreamLimits())
