"""TLS below SIP: who is let in, who is not, and certificates that change while calls run."""

from __future__ import annotations

import contextlib
import datetime
import ssl

import pytest
import trio
from tests.net.certificates import (
    Authority,
    chain_without_its_middle,
    revocations,
    signed_by_itself,
    with_common_name_only,
)

from trivox import _native
from trivox.errors import InvalidArgumentsError
from trivox.net.endpoint import Endpoint
from trivox.net.sockets import SystemSockets
from trivox.net.tls import RawStream, TlsConfig, TlsConnector, TlsContexts, TlsIdentity
from trivox.net.tls_identity import identities_of, is_identified
from trivox.net.wire import Accepted
from trivox.sip.outputs import SendRequest, SendResponse
from trivox.testing import Link

NAMES = {
    "sip.example.org": "10.0.0.1",
    "other.example.org": "10.0.0.1",
    "a.example.net": "10.0.0.1",
    "b.example.net": "10.0.0.1",
    "c.net": "10.0.0.1",
}
EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


class User:
    """Answers every request with 200 and keeps what comes."""

    def __init__(self):
        self.requests, self.responses, self.failed = [], [], []
        self.endpoint = None

    def handle_sip(self, events, now):
        for kind, token, tx, _, status, message, flow, _source in events:
            if kind == _native.EVENT_REQUEST:
                self.requests.append((message, flow))
                self.endpoint.respond(SendResponse(tx, 200, "OK", (), b"", "tag"), token=token)
            elif kind == _native.EVENT_RESPONSE:
                self.responses.append(status)
            else:
                self.failed.append(kind)

    def handle_flow_closed(self, flow, *, is_peers):
        pass


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def start(nursery):
    """Return an async function that starts an endpoint on a host of one virtual link."""
    link = Link(3, names=NAMES)

    async def start(host, *listen, **settings):
        user = User()
        user.endpoint = Endpoint(
            user, listen=listen, seed=host.encode() * 4, sockets=link.host(host), **settings
        )
        await nursery.start(user.endpoint.run)
        return user.endpoint, user

    return start


async def send(endpoint, uri, number=1):
    target = await endpoint.resolve(uri)
    flow = endpoint.flow_to(target)
    headers = (
        ("From", "<sip:a@example.org>;tag=1"),
        ("To", f"<{uri}>"),
        ("Call-ID", f"call-{number}"),
        ("CSeq", "1 OPTIONS"),
        ("Max-Forwards", "70"),
    )
    request = SendRequest("OPTIONS", uri, headers)
    endpoint.request(request, token=0, flow=flow, destination=target.address)
    return flow


@pytest.mark.parametrize(
    ("listen", "uri", "via"),
    [
        ("sip:10.0.0.1:5061;transport=tls", "sip:sip.example.org;transport=tls", "TLS"),
        ("sips:10.0.0.1", "sips:sip.example.org", "TLS"),
        ("sip:10.0.0.1:443;transport=wss", "sip:sip.example.org;transport=wss", "WSS"),
        ("sips:10.0.0.1:443;transport=ws", "sips:sip.example.org:443;transport=ws", "WSS"),
    ],
)
async def test_a_request_is_answered_over_tls(
    listen, uri, via, authority, start, nursery, autojump_clock
):
    certificate = authority.issue("server", "sip.example.org")
    _, server = await start("10.0.0.1", listen, tls=TlsConfig(certificate=certificate))
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))

    flow = await send(client, uri)
    await trio.sleep(1)

    assert user.responses == [200]
    assert server.requests[0][0].header("Via").startswith(f"SIP/2.0/{via} ")
    assert flow.wire.peer_names == ("sip.example.org",)
    nursery.cancel_scope.cancel()


BAD = {
    "expired": lambda authority: authority.issue(
        "expired", "sip.example.org", not_after=EXPIRED, not_before=EXPIRED.replace(year=2019)
    ),
    "of another host": lambda authority: authority.issue("other", "other.example.org"),
    "of a wildcard": lambda authority: authority.issue("wild", "*.example.org"),
    "signed by itself": signed_by_itself,
    "without the one between": chain_without_its_middle,
    "with a common name only": with_common_name_only,
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_a_server_with_a_certificate_that_does_not_hold_gets_no_request(
    make, authority, start, nursery, autojump_clock, caplog
):
    config = TlsConfig(certificate=make(authority))
    _, server = await start("10.0.0.1", "sips:10.0.0.1", tls=config)
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))

    await send(client, "sips:sip.example.org")
    await trio.sleep(6)

    assert (server.requests, user.responses) == ([], [])
    assert user.failed == [_native.EVENT_TRANSPORT_ERROR]
    assert "TLS with sip.example.org at 10.0.0.1 failed" in caplog.text
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_revoked", [False, True])
async def test_a_revoked_certificate_is_refused(
    is_revoked, authority, start, nursery, autojump_clock
):
    certificate = authority.issue("server", "sip.example.org")
    crl = revocations(authority, certificate if is_revoked else None)
    await start("10.0.0.1", "sips:10.0.0.1", tls=TlsConfig(certificate=certificate))
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root, crl=crl))

    await send(client, "sips:sip.example.org")
    await trio.sleep(6)

    assert user.responses == ([] if is_revoked else [200])
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("verify", "shown", "answers"),
    [
        ("none", "", [200]),
        ("optional", "", [200]),
        ("optional", "trunk", [200]),
        ("optional", "foreign", []),
        ("required", "", []),
        ("required", "trunk", [200]),
        ("required", "foreign", []),
    ],
)
async def test_client_certificates_are_asked_for_as_configured(
    verify, shown, answers, authority, start, nursery, autojump_clock, tmp_path_factory
):
    certificate = authority.issue("server", "sip.example.org")
    foreign = Authority(tmp_path_factory.mktemp("foreign"))
    own = {
        "": None,
        "trunk": authority.issue("trunk", "trunk.example.net"),
        "foreign": foreign.issue("trunk", "trunk.example.net"),
    }[shown]
    config = TlsConfig(certificate=certificate, ca=authority.root, verify_client=verify)
    server, server_user = await start("10.0.0.1", "sips:10.0.0.1", tls=config)
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root, certificate=own))

    await send(client, "sips:sip.example.org")
    await trio.sleep(6)

    assert user.responses == answers
    if answers:
        flow = server.flow(server_user.requests[0][1])
        is_known = shown and verify != "none"
        assert flow.wire.peer_names == (("trunk.example.net",) if is_known else ())
    nursery.cancel_scope.cancel()


async def test_a_connection_proved_for_one_name_is_not_used_for_another(
    authority, start, nursery, autojump_clock
):
    certificate = authority.issue("server", "sip.example.org")
    _, server = await start("10.0.0.1", "sips:10.0.0.1", tls=TlsConfig(certificate=certificate))
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))

    first = await send(client, "sips:sip.example.org")
    await trio.sleep(1)
    other = await send(client, "sips:other.example.org", 2)
    numeric = await send(client, "sips:10.0.0.1", 3)
    await trio.sleep(6)

    assert len({first.id, other.id, numeric.id}) == 3
    assert len(server.requests) == 1
    assert await send(client, "sips:SIP.example.org", 4) is first
    await trio.sleep(1)
    assert user.responses == [200, 200]
    nursery.cancel_scope.cancel()


async def test_a_changed_certificate_is_shown_to_new_connections_and_drops_none(
    authority, start, nursery, autojump_clock, tmp_path_factory
):
    certificate = authority.issue("server", "sip.example.org")
    server, _ = await start("10.0.0.1", "sips:10.0.0.1", tls=TlsConfig(certificate=certificate))
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))
    first = await send(client, "sips:sip.example.org")
    await trio.sleep(1)

    changed = Authority(tmp_path_factory.mktemp("changed"))
    certificate.write_bytes(changed.issue("new", "sip.example.org").read_bytes())
    server.tls.reload()
    late, late_user = await start("10.0.0.3", tls=TlsConfig(ca=changed.root))
    await send(late, "sips:sip.example.org")
    again = await send(client, "sips:sip.example.org", 2)
    await trio.sleep(1)

    assert again is first
    assert (user.responses, late_user.responses) == ([200, 200], [200])
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("called", "is_known"),
    [("sip.example.org", True), ("a.example.net", True), ("b.example.net", True), ("c.net", False)],
)
async def test_a_server_shows_the_certificate_of_the_name_that_was_called(
    authority, start, nursery, autojump_clock, called, is_known
):
    """RFC 6066 §3; who calls a name that is none of ours sees the usual certificate."""
    names = ("a.example.net", "b.example.net")
    identities = {n: TlsIdentity(certificate=authority.issue(n, n)) for n in names}
    usual = authority.issue("usual", "sip.example.org")
    config = TlsConfig(certificate=usual, identities=identities)
    server, _ = await start("10.0.0.1", "sips:10.0.0.1", tls=config)
    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))

    await send(client, f"sips:{called}")
    await trio.sleep(1)

    assert user.responses == ([200] if is_known else [])
    # New files of a name are for new connections, as those of the usual certificate are.
    server.tls.reload()
    identities["a.example.net"].certificate.write_text("nothing")
    with pytest.raises(InvalidArgumentsError):
        server.tls.reload()
    nursery.cancel_scope.cancel()


async def test_files_of_no_use_are_refused_and_those_in_use_stay(
    authority, start, nursery, autojump_clock
):
    certificate = authority.issue("server", "sip.example.org")
    server, _ = await start("10.0.0.1", "sips:10.0.0.1", tls=TlsConfig(certificate=certificate))
    certificate.write_text("nothing")

    with pytest.raises(InvalidArgumentsError):
        server.tls.reload()

    client, user = await start("10.0.0.2", tls=TlsConfig(ca=authority.root))
    await send(client, "sips:sip.example.org")
    await trio.sleep(1)
    assert user.responses == [200]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "settings",
    [
        {"certificate": "/nowhere.pem"},
        {"ca": "/nowhere.pem"},
        {"key": "key.pem"},
        {"verify_client": "sometimes"},
        {"certificate": 7},
        {"identities": {"a.example.net": "a.pem"}, "certificate": "a.pem"},
        {"identities": {"a.example.net": TlsIdentity(certificate="a.pem")}},
    ],
)
def test_settings_of_no_use_say_so(settings):
    with pytest.raises(InvalidArgumentsError):
        TlsContexts(TlsConfig(**settings))


def test_the_password_of_a_key_is_not_shown():
    assert "s3cret" not in repr(TlsConfig(certificate="a.pem", key_password="s3cret"))


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_who_does_not_shake_hands_is_dropped_after_5_s(
    transport, authority, start, nursery, autojump_clock
):
    config = TlsConfig(certificate=authority.issue("server", "sip.example.org"))
    uri = f"sip:10.0.0.1:5061;transport={transport}"
    server, _ = await start("10.0.0.1", uri, tls=config)
    link = server._sockets.link
    begin = trio.current_time()

    far = await link.host("10.0.0.9").open_connector("10.0.0.9", ("10.0.0.1", 5061)).connect()
    await far.send_all(b"\x16\x03\x01")
    end = await far.receive_some(100)

    assert end == b""
    assert trio.current_time() - begin == pytest.approx(5, abs=0.2)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_below_tls_1_2_is_spoken(version, authority):
    contexts = TlsContexts(TlsConfig(certificate=authority.issue("server", "sip.example.org")))

    assert contexts.server.minimum_version > version
    assert contexts.client.minimum_version > version


def test_tls_1_3_is_spoken_where_both_can(authority):
    """RFC 8446 §4.1.2: and below it 1.2, for who has no other."""
    config = TlsConfig(certificate=authority.issue("server", "sip.example.org"), ca=authority.root)
    contexts = TlsContexts(config)
    versions = []
    for newest in (ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2):
        contexts.client.maximum_version = newest
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = contexts.client.wrap_bio(down, up, server_hostname="sip.example.org")
        server = contexts.server.wrap_bio(up, down, server_side=True)
        for _ in range(3):
            for end in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
        versions.append((client.version(), server.version()))

    assert versions == [("TLSv1.3", "TLSv1.3"), ("TLSv1.2", "TLSv1.2")]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([("DNS", "a.example"), ("DNS", "B.example.")], ("a.example", "b.example")),
        ([("URI", "sip:a.example"), ("DNS", "b.example")], ("a.example",)),
        ([("URI", "sip:alice@a.example"), ("DNS", "b.example")], ("b.example",)),
        ([("URI", "sips:a.example"), ("URI", "https://c.example")], ()),
        ([("URI", ":"), ("IP Address", "2001:DB8:0:0:0:0:0:1")], ("2001:db8::1",)),
        ([], ()),
    ],
)
def test_a_certificate_stands_for_its_sip_uris_or_else_its_dns_names(names, found):
    """RFC 5922 §7.2."""
    assert identities_of({"subjectAltName": tuple(names)}) == found


@pytest.mark.parametrize(
    ("domain", "identity", "verdict"),
    [
        ("A.Example", "a.example", True),
        ("a.example", "*.example", False),
        ("b.a.example", "a.example", False),
        ("::1", "::1", True),
        ("127.0.0.1", "localhost", False),
    ],
)
def test_names_are_compared_whole(domain, identity, verdict):
    assert is_identified(domain, (identity,)) is verdict


async def connected():
    """Return both ends of a connection of the system's, as Trio's streams."""
    sockets = SystemSockets()
    listener = sockets.listen_stream(("127.0.0.1", 0))
    connection = await sockets.open_connector("127.0.0.1", listener.local).connect()
    accepted = await listener.accept()
    listener.close()
    return RawStream(connection), RawStream(accepted)


@pytest.mark.native
@pytest.mark.slow
async def test_the_stream_below_tls_passes_what_trio_asks_of_streams():
    await trio.testing.check_two_way_stream(connected, None)


@pytest.mark.native
async def test_the_name_that_was_called_is_told_in_the_hello(authority, nursery):
    asked = []
    config = TlsConfig(certificate=authority.issue("server", "localhost"), ca=authority.root)
    contexts = TlsContexts(config)
    contexts.server.sni_callback = lambda _stream, name, _context: asked.append(name)
    sockets = SystemSockets()
    listener = sockets.listen_stream(("127.0.0.1", 0))
    inner = sockets.open_connector("127.0.0.1", listener.local)
    far = TlsConnector(inner, contexts.client, name="localhost", verified=asked.append)
    nursery.start_soon(far.connect)

    accepted = Accepted(await listener.accept())
    near = TlsConnector(accepted, contexts.server, name=None, verified=asked.append)
    (await near.connect()).close()
    await trio.testing.wait_all_tasks_blocked()

    assert sorted(map(str, asked)) == ["('localhost',)", "()", "localhost"]
    listener.close()
    inner.close()


async def test_the_stream_below_tls_carries_bytes_both_ways():
    one, other = await connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send_all, b"x" * 100_000)
        received = b""
        while len(received) < 100_000:
            received += await other.receive_some(1000)
    assert received == b"x" * 100_000
    with pytest.raises(ValueError, match="max_bytes"):
        await one.receive_some(0)
    await one.aclose()
    assert await other.receive_some() == b""
    await other.aclose()


def test_a_connector_closes_what_it_wraps(authority):
    class Inner:
        local = ("10.0.0.1", 1)
        is_closed = False

        def close(self):
            self.is_closed = True

    inner = Inner()
    contexts = TlsContexts(TlsConfig(ca=authority.root))

    TlsConnector(inner, contexts.client, name="a.example", verified=print).close()

    assert inner.is_closed
