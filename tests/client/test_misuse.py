"""What a program does wrong with configurations and clients: a typed error, before any effect."""

from __future__ import annotations

import pytest
import trio

from trivox import (
    AccountConfig,
    CallSettings,
    ClientConfig,
    HandlerFailed,
    open_client,
    open_switchboard,
)
from trivox.errors import (
    CallFailedError,
    ConnectionNetworkError,
    InvalidArgumentsError,
    InvalidUriError,
    RegistrationError,
    RequiredParameterError,
    TrivoxError,
)

INJECTION = "a\r\nX-Evil: 1"
NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "fields", "advice"),
    [
        (ClientConfig, {"listen": "sip:127.0.0.1:0"}, "give a list"),
        (ClientConfig, {"listen": [5060]}, "must be a str, not int"),
        (ClientConfig, {"accounts": ["sip:bob@x"]}, "give an AccountConfig"),
        (ClientConfig, {"advertised": INJECTION}, "control character"),
        (ClientConfig, {"advertised": "example.org:sip"}, "host or host:port"),
        (ClientConfig, {"advertised": "[::1]:65536"}, "host or host:port"),
        (ClientConfig, {"outbound_proxy": f"sip:{INJECTION}"}, "control character"),
        (ClientConfig, {"outbound_proxy": "proxy"}, "no SIP URI"),
        (ClientConfig, {"user_agent": INJECTION}, "control character"),
        (ClientConfig, {"listener_errors": "x"}, "log, fail_call, raise"),
        (ClientConfig, {"t1": NAN}, "above 0 seconds"),
        (ClientConfig, {"hangup_timeout": -1}, "0 for no wait"),
        (ClientConfig, {"engine_threads": 0}, "at least 1"),
        (ClientConfig, {"max_calls": -1}, "None for no limit"),
        (ClientConfig, {"rtp_ports": (5, 1)}, "higher last port"),
        (ClientConfig, {"call_settings": {}}, "class CallSettings"),
        (AccountConfig, {"uri": 5}, "must be a str"),
        (AccountConfig, {"uri": "sip:"}, "sip:user@host"),
        (AccountConfig, {"auth_user": INJECTION}, "control character"),
        (AccountConfig, {"registrar": f"sip:{INJECTION}"}, "control character"),
        (AccountConfig, {"registrar": "example.org"}, "no SIP URI for registrar"),
        (AccountConfig, {"proxy": f"sip:{INJECTION}"}, "control character"),
        (AccountConfig, {"realms": (INJECTION,)}, "control character"),
        (AccountConfig, {"realms": "example.org"}, "give a list"),
        (AccountConfig, {"display_name": INJECTION}, "control character"),
        (AccountConfig, {"expires": "60"}, "at least 1 second"),
        (CallSettings, {"audio_codecs": "opus"}, "give a list"),
        (CallSettings, {"audio_codecs": ("G729",)}, "there are opus"),
        (CallSettings, {"caller_uri": "alice"}, "no SIP URI"),
        (CallSettings, {"caller_uri": "sip:a@b>;x=<sip:evil@b"}, "no SIP URI"),
        (CallSettings, {"caller_name": INJECTION}, "control character"),
        (CallSettings, {"custom_data": INJECTION}, "control character"),
        (CallSettings, {"dtmf_method": "x"}, "auto, rfc4733, info"),
        (CallSettings, {"extra_headers": [("X-A", "b")]}, "mapping"),
        (CallSettings, {"extra_headers": {"X-A": 5}}, "must be a str"),
        (CallSettings, {"ring_timeout": NAN}, "None for no limit"),
        (CallSettings, {"max_duration": "5"}, "None for no limit"),
        (CallSettings, {"stats_interval": NAN}, "above 0 seconds"),
    ],
)
def test_a_field_of_no_use_is_refused_by_name_with_what_to_do(kind, fields, advice) -> None:
    if kind is AccountConfig:
        fields = {"uri": "sip:bob@example.org", **fields}
    with pytest.raises(InvalidArgumentsError, match=advice):
        kind(**fields)


def test_a_misspelt_field_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidArgumentsError, match=r"no field 'lisen': it has .*listen"):
        open_client(lisen=["sip:127.0.0.1:0"])
    with pytest.raises(InvalidArgumentsError, match="give a ClientConfig"):
        open_client({"listen": []})


async def test_what_is_no_setting_or_account_is_refused_by_create_call(world) -> None:
    async with world().client() as client:
        for settings in ({"media": "rtp"}, "rtp"):
            with pytest.raises(InvalidArgumentsError, match="CallSettings"):
                client.create_call("sip:bob@10.0.0.9", settings)
        with pytest.raises(InvalidArgumentsError, match="class Account"):
            client.create_call("sip:bob@10.0.0.9", account="bob")
        for destination in (5, None):
            with pytest.raises(InvalidArgumentsError, match="must be a str"):
                client.create_call(destination)
        assert client.create_call("SIP:bob@10.0.0.9").destination == "SIP:bob@10.0.0.9"


@pytest.mark.parametrize("method", ["INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "options", "", 5])
async def test_methods_of_calls_and_accounts_are_not_sent_by_hand(world, method) -> None:
    async with world().client() as client:
        with pytest.raises(InvalidArgumentsError):
            await client.request(method, "sip:bob@10.0.0.9")


async def test_a_body_of_no_use_is_refused_before_anything_is_sent(world) -> None:
    async with world().client() as client:
        with pytest.raises(InvalidArgumentsError, match="at most 60000"):
            await client.request(
                "MESSAGE", "sip:bob@10.0.0.9", body="x" * 60_001, content_type="text/plain"
            )
        with pytest.raises(InvalidArgumentsError, match="str or bytes"):
            await client.request("MESSAGE", "sip:b@10.0.0.9", body=5, content_type="text/plain")
        with pytest.raises(InvalidArgumentsError, match="no text"):
            await client.request("MESSAGE", "sip:b@10.0.0.9", body="\ud800", content_type="a/b")
        with pytest.raises(RequiredParameterError):
            await client.request("MESSAGE", "sip:b@10.0.0.9", body="x")


def test_secrets_stay_out_of_reprs_and_errors() -> None:
    config = AccountConfig("sip:b@x", password="s3cret", settings=CallSettings())
    assert "s3cret" not in repr(config)
    with pytest.raises(TrivoxError) as caught:
        AccountConfig("sip:b@x", password="s3cret", ha1={"MD5": "h4sh"})
    assert "s3cret" not in str(caught.value)
    assert "h4sh" not in str(caught.value)


async def test_an_address_that_cannot_be_bound_is_named(world) -> None:
    own = world()
    async with own.client():
        with pytest.raises(ConnectionNetworkError, match=r"cannot listen on sip:10\.0\.0\.1:5060"):
            async with own.client():
                pass


async def test_what_is_no_async_function_is_no_handler(world, autojump_clock) -> None:
    async def handler(_call) -> None:
        raise AssertionError("never run")

    made = handler(None)
    async with world().client() as client:
        with pytest.raises(InvalidArgumentsError, match="give the async function itself"):
            await client.serve(made)
    made.close()


async def test_a_handler_that_is_not_async_is_reported_as_that(world, autojump_clock) -> None:
    failures = []
    own = world()
    async with own.client() as caller, own.client("10.0.0.2") as callee:
        callee.on(HandlerFailed, lambda event: failures.append(event.error))
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, lambda call: None)
            with pytest.raises(CallFailedError) as caught:
                async with caller.dial("sip:bob@10.0.0.2:5060"):
                    pass
            nursery.cancel_scope.cancel()
    assert caught.value.sip_code == 500
    assert "write `async def`" in str(failures[0])


async def test_registering_for_no_time_is_refused(world) -> None:
    async with world().client(accounts=[AccountConfig("sip:a@10.0.0.9")]) as client:
        for expires in (0, -1, "60"):
            with pytest.raises(InvalidArgumentsError, match="at least 1 second"):
                await client.accounts["sip:a@10.0.0.9"].register(expires=expires)


@pytest.mark.parametrize(
    ("password", "advice"), [(None, "set AccountConfig.password"), ("wrong", "check the user")]
)
async def test_a_refused_registration_says_what_to_do(world, autojump_clock, password, advice):
    own = world()
    board = open_switchboard(
        listen=["sip:10.0.0.5:5060"], users={"a": "pw"}, sockets=own.link.host("10.0.0.5")
    )
    account = AccountConfig("sip:a@10.0.0.5", password=password)
    async with board, own.client(accounts=[account]) as client:
        with pytest.raises(RegistrationError, match=advice):
            await client.accounts["sip:a@10.0.0.5"].register()


@pytest.mark.parametrize("target", ["http://a", "https:a", "tel:+15550100", "mailto:a@example.org"])
async def test_a_uri_of_another_kind_is_called_one(autojump_clock, world, target) -> None:
    async with world().with_far_end() as (client, _):
        with pytest.raises(InvalidUriError, match="is no SIP URI: a call goes"):
            client.dial(target)


async def test_an_address_to_listen_on_is_shown_by_example(autojump_clock, world) -> None:
    with pytest.raises(InvalidUriError, match=r"write .sip:0"):
        async with open_client(listen=["5060"]):
            pass


async def test_completion_offers_what_is_a_programs_business(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        names = {name for name in dir(call) if not name.startswith("__")}

        assert {"answer", "id", "settings", "timings", "change_identity"} <= names
        assert not {"handle_sip", "may_offer", "abandon"} & names
        assert not any(name.startswith("_") for name in names)
