"""Settings: what is refused, what TOML gives, and that no secret is shown."""

from __future__ import annotations

import tomllib

import pytest

from trivox.actor.isolation import ListenerErrorPolicy
from trivox.call.settings import CallSettings, DtmfMethod
from trivox.client.config import AccountConfig, ClientConfig
from trivox.client.opening import open_client
from trivox.errors import InvalidArgumentsError, InvalidHeaderError, InvalidUriError

TOML = """
listen = ["sip:127.0.0.1:0;transport=tcp"]
max_calls = 10
rtp_ports = [20000, 30000]
listener_errors = "fail_call"

[call_settings]
dtmf_method = "info"
audio_codecs = ["PCMA"]

[[accounts]]
uri = "sip:bot@example.org"
password = "s3cret"
[accounts.settings]
ring_timeout = 20.0
"""


def test_a_toml_file_gives_the_same_as_keywords(tmp_path) -> None:
    path = tmp_path / "client.toml"
    path.write_text(TOML)

    config = ClientConfig.load(path)

    assert config == ClientConfig(
        listen=("sip:127.0.0.1:0;transport=tcp",),
        max_calls=10,
        rtp_ports=(20000, 30000),
        listener_errors=ListenerErrorPolicy.FAIL_CALL,
        call_settings=CallSettings(dtmf_method=DtmfMethod.INFO, audio_codecs=("PCMA",)),
        accounts=(
            AccountConfig(
                "sip:bot@example.org",
                password="s3cret",
                settings=CallSettings(ring_timeout=20.0),
            ),
        ),
    )


def test_identity_trust_and_flows_come_from_toml_too() -> None:
    text = """
        admit = "known"
        realm = "pbx"
        filter_targets = true
        allowed_networks = ["10.0.0.0/8"]
        [users]
        alice = "pw"
        [[accounts]]
        uri = "sip:bot@example.org"
        password = "x"
        trusted = true
        outbound = true
        gruu = true
        instance_id = "urn:uuid:00000000-0000-1000-8000-000A95A0E128"
        flow_proxies = ["sip:b.example.org"]
        keep_alive = 25
        digest_hosts = ["PBX.example.org"]
        digest_algorithms = ["SHA-256"]
        [accounts.settings]
        privacy = ["id"]
    """
    config = ClientConfig.from_mapping(tomllib.loads(text))

    assert config.users == {"alice": "pw"}
    assert config.allowed_networks == ("10.0.0.0/8",)
    (account,) = config.accounts
    assert account.flow_proxies == ("sip:b.example.org",)
    assert account.digest_hosts == ("pbx.example.org",)
    assert account.settings.privacy == ("id",)
    assert account.uses_outbound


@pytest.mark.parametrize(
    "wrong",
    [
        {"flow_proxies": "sip:a@b"},
        {"flow_proxies": ["b"]},
        {"keep_alive": 0},
        {"digest_algorithms": []},
        {"digest_algorithms": ["SHA1"]},
        {"digest_hosts": "b"},
    ],
)
def test_what_an_account_cannot_use_is_refused_at_once(wrong) -> None:
    with pytest.raises(InvalidArgumentsError):
        AccountConfig("sip:a@b", **wrong)


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(AccountConfig("sip:a@b", password="s3cret"))
    shown += repr(AccountConfig("sip:a@b", ha1={"MD5": "s3cret"}))

    assert "s3cret" not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"listen": []},
        {"t1": 0},
        {"accounts": [{"uri": "sip:a@b", "password": "x", "ha1": {"MD5": "y"}}]},
        {"accounts": [{"password": "x"}]},
        {"call_settings": {"media": "carrier-pigeon"}},
    ],
)
def test_wrong_fields_are_named(wrong) -> None:
    with pytest.raises(InvalidArgumentsError):
        ClientConfig.from_mapping(wrong)


def test_listen_and_account_take_sip_uris_only() -> None:
    with pytest.raises(InvalidUriError):
        ClientConfig(listen=("http://x",))
    with pytest.raises(InvalidUriError):
        AccountConfig("bot@example.org")


def test_a_config_and_fields_together_are_refused() -> None:
    with pytest.raises(InvalidArgumentsError):
        open_client(ClientConfig(), max_calls=3)


@pytest.mark.parametrize(
    ("asked", "given"), [(0.1, 0.5), (0.5, 0.5), (1.2, 1.0), (1.9, 1.5), (3.0, 3.0)]
)
def test_the_statistics_interval_is_a_multiple_of_half_a_second(asked, given) -> None:
    assert CallSettings(stats_interval=asked).stats_interval == given


def test_settings_of_a_call_are_checked_at_once() -> None:
    with pytest.raises(InvalidArgumentsError):
        CallSettings(custom_data="ü" * 101)
    with pytest.raises(InvalidHeaderError):
        CallSettings(extra_headers={"X-A": "b\r\nX-Forged: 1"})
    with pytest.raises(InvalidHeaderError):
        CallSettings(caller_name="a\nb")
    with pytest.raises(InvalidHeaderError):
        CallSettings(extra_headers={"Via": "x"})
    with pytest.raises(InvalidArgumentsError):
        CallSettings(ring_timeout=0)
