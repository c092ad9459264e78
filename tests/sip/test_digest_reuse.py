"""Digest over several requests: nonces used again, challenges in lists, secrets by realm."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.sip.digest import Authorizer, DigestClient, DigestSecret
from trivox.sip.digest_server import DigestOutcome, DigestServer
from trivox.sip.digest_values import (
    DigestAlgorithm,
    hash_user,
    read_parameters_untrusted,
    split_challenges_untrusted,
)

URI = "sip:example.org"
BOTH = 'Digest realm="r", nonce="n1", qop="auth", algorithm=MD5'
STRONG = 'Digest realm="r", nonce="n2", qop="auth", algorithm=SHA-256'
STRONGEST = 'Digest realm="r", nonce="n3", qop="auth", algorithm=SHA-512-256'


def client(**more) -> DigestClient:
    return DigestClient("alice", "pw", realms=["r", "s"], **more)


def sent(authorizer: Authorizer, uri: str = URI) -> list[dict[str, str]]:
    """Return the parameters of each credential of the next try."""
    headers = authorizer.headers("REGISTER", uri, b"")
    return [{"header": name, **(read_parameters_untrusted(v) or {})} for name, v in headers]


@pytest.mark.parametrize(
    "lines",
    [
        [BOTH, STRONG, STRONGEST],
        [f"{BOTH}, {STRONG}, {STRONGEST}"],
        [f"{STRONGEST},{BOTH}", STRONG],
        ['Basic realm="r"', f'Bearer x="1, Digest y=", {STRONGEST} , {STRONG}'],
    ],
)
def test_the_strongest_of_several_challenges_is_answered_rfc_8760_section_2_4(lines) -> None:
    """RFC 8760 §2.4."""
    (challenge,) = client().select(lines)

    assert challenge.algorithm is DigestAlgorithm.SHA_512_256
    assert challenge.nonce == "n3"


def test_a_comma_and_a_scheme_within_quotes_end_no_challenge_rfc_7235_section_2_1() -> None:
    odd = r'Digest realm="a, Digest b=\", c", nonce="x", qop="auth,auth-int"'

    assert split_challenges_untrusted(f"{odd}, {STRONG}") == [odd, STRONG]


@given(st.text(alphabet='Digest realm="\\,= \t', max_size=200))
def test_the_parts_of_any_value_stand_in_it_in_order(text: str) -> None:
    position = 0
    for part in split_challenges_untrusted(text):
        position = text.index(part, position) + len(part)

    assert position == len(text)


def test_a_second_request_proves_itself_unasked_rfc_7616_section_3_6() -> None:
    own = client()
    first = Authorizer(own, "c1", uri=URI, is_outside=True)
    assert sent(first) == []
    assert first.can_answer(401, [STRONG])
    assert sent(first)[0]["nc"] == "00000001"

    (credentials,) = sent(Authorizer(own, "c2", uri=URI, is_outside=True))

    assert credentials["header"] == "Authorization"
    assert credentials["nonce"] == "n2"
    assert credentials["nc"] == "00000002"


def test_a_far_end_s_challenge_is_proved_to_that_far_end_only() -> None:
    own = client()
    Authorizer(own, "c", uri=URI, is_outside=True).can_answer(401, [STRONG])

    assert sent(Authorizer(own, "c", uri="sip:bob@example.org", is_outside=True)) == []


def test_a_proxy_s_challenge_is_proved_in_every_request_through_it() -> None:
    own = client()
    Authorizer(own, "c", uri=URI, is_outside=True).can_answer(407, [STRONG])

    (credentials,) = sent(
        Authorizer(own, "c", uri="sip:bob@example.org", is_outside=True), "sip:bob@example.org"
    )

    assert credentials["header"] == "Proxy-Authorization"
    assert credentials["uri"] == "sip:bob@example.org"


def test_within_a_dialog_nothing_is_proved_unasked_nor_remembered() -> None:
    own = client()
    Authorizer(own, "c", uri=URI, is_outside=True).can_answer(407, [STRONG])
    inside = Authorizer(own, "c")

    assert sent(inside) == []
    assert inside.can_answer(407, [STRONGEST])
    assert sent(Authorizer(own, "c", uri=URI, is_outside=True))[0]["nonce"] == "n2"


def test_a_new_nonce_replaces_the_one_that_was_guessed() -> None:
    own = client()
    Authorizer(own, "c", uri=URI, is_outside=True).can_answer(401, [STRONG])
    second = Authorizer(own, "c", uri=URI, is_outside=True)
    assert sent(second)[0]["nonce"] == "n2"

    assert second.can_answer(401, [STRONG.replace("n2", "n9")])

    assert [credentials["nonce"] for credentials in sent(second)] == ["n9"]
    assert sent(Authorizer(own, "c", uri=URI, is_outside=True))[0]["nonce"] == "n9"


def test_a_refused_answer_is_doubted_and_sent_unasked_no_more() -> None:
    own = client()
    first = Authorizer(own, "c", uri=URI, is_outside=True)
    first.can_answer(401, [STRONG])

    assert not first.can_answer(401, [STRONG.replace("n2", "n9")])

    assert own.doubted == {"r"}
    assert sent(Authorizer(own, "c", uri=URI, is_outside=True)) == []


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    own = client()
    for number in range(20):
        Authorizer(own, "c", uri=f"{URI};{number}", is_outside=True).can_answer(401, [STRONG])

    assert sent(Authorizer(own, "c", uri=f"{URI};3", is_outside=True)) == []
    assert sent(Authorizer(own, "c", uri=f"{URI};4", is_outside=True)) != []


def test_a_secret_of_one_realm_is_used_there_and_nowhere_else() -> None:
    own = client()
    own.learn("s", DigestSecret("bob", "other"))
    other = Authorizer(own, "c", uri=URI, is_outside=True)
    other.can_answer(407, [STRONG, STRONG.replace('"r"', '"s"')])

    assert [credentials["username"] for credentials in sent(other)] == ["alice", "bob"]

    own.learn("s", None)
    assert sent(other)[1]["username"] == "alice"


def test_a_learnt_secret_ends_the_doubt() -> None:
    own = client()
    own.doubt("r")
    own.learn("r", DigestSecret("alice", "new"))

    assert own.doubted == set()
    assert own.realms == {"r", "s"}


def test_a_hash_stands_for_the_password_in_a_learnt_secret() -> None:
    ha1 = hash_user(DigestAlgorithm.SHA_256, "alice", "r", "pw")
    own = DigestClient("alice", realms=["r"])
    assert own.select([STRONG]) == ()
    own.learn("r", DigestSecret("alice", ha1={DigestAlgorithm.SHA_256: ha1}))

    with_hash = own.answer([STRONG], "REGISTER", URI, b"", "c")

    assert with_hash == client().answer([STRONG], "REGISTER", URI, b"", "c")
    assert own.select([BOTH]) == ()
    assert ha1 not in repr(DigestSecret("alice", "pw", {DigestAlgorithm.SHA_256: ha1}))


def test_a_stranger_that_knows_our_realm_gets_no_answer() -> None:
    own = client()
    own.answer_only(["Example.org"])

    assert not Authorizer(own, "c", uri="sip:x@evil.example").can_answer(401, [STRONG])
    assert not Authorizer(own, "c", uri=URI, hop="<sip:evil.example;lr>").can_answer(407, [STRONG])
    assert not Authorizer(own, "c", uri="<<").can_answer(401, [STRONG])
    assert Authorizer(own, "c", uri="sip:x@EXAMPLE.org").can_answer(401, [STRONG])


def test_a_far_end_behind_our_proxy_gets_no_answer_but_the_proxy_does() -> None:
    own = client()
    own.answer_only(["example.org"])
    own.answer_only(["192.0.2.9"])
    way = {"uri": "sip:x@evil.example", "hop": "<sip:192.0.2.9;lr>"}

    assert not Authorizer(own, "c", **way).can_answer(401, [STRONG])
    assert Authorizer(own, "c", **way).can_answer(407, [STRONG])


def test_nothing_is_proved_unasked_to_another_hop() -> None:
    own = client()
    own.answer_only(["example.org"])
    Authorizer(own, "c", uri=URI, is_outside=True).can_answer(407, [STRONG])

    assert sent(Authorizer(own, "c", uri="sip:x@evil.example", is_outside=True)) == []


def test_the_hosts_to_answer_are_bounded() -> None:
    own = client()
    for number in range(1000):
        own.answer_only([f"192.0.{number >> 8}.{number & 255}"])

    assert own.is_own_host("sip:192.0.0.255")
    assert not own.is_own_host("sip:192.0.3.1")


def check(server: DigestServer, own: DigestClient, challenges: list[str], now: float):
    value = own.answer(challenges, "REGISTER", URI, b"", "c")
    assert value is not None
    return server.check([value], "REGISTER", URI, {"alice": "pw"}.get, now).outcome


@pytest.mark.parametrize("issued", [0.0, 3599.9996, 3600.0, 7199.5])
def test_a_nonce_outlives_the_change_of_the_hourly_key(issued: float) -> None:
    server = DigestServer(bytes(16), "r")
    challenges = server.challenges(issued)
    server.challenges(issued + 3600)

    assert check(server, client(), challenges, issued + 30) is DigestOutcome.ACCEPTED


def test_the_key_of_one_hour_signs_no_nonce_of_another() -> None:
    def signed(stamp: str, hour: int) -> str:
        key = hmac.new(bytes(16), f"nonces of {hour}".encode(), hashlib.sha256).digest()
        proof = hmac.new(key, f"{stamp}:r".encode(), hashlib.sha256).hexdigest()[:32]
        return f'Digest realm="r", nonce="{stamp}-{proof}", algorithm=SHA-256, qop="auth"'

    stamp = f"{3_600_500:x}-1"
    server = DigestServer(bytes(16), "r")

    assert check(server, client(), [signed(stamp, 1)], 3601) is DigestOutcome.ACCEPTED
    assert check(server, client(), [signed(stamp, 0)], 3601) is DigestOutcome.STALE


@pytest.mark.parametrize("nonce", ["", "x", "--", "zz-1-00", "-1-1-aa", "1_0-1-aa", "٣-1-aa"])
def test_a_nonce_that_is_none_of_ours_is_stale(nonce: str) -> None:
    forged = f'Digest realm="r", nonce="{nonce}", algorithm=SHA-256, qop="auth"'

    assert check(DigestServer(bytes(16), "r"), client(), [forged], 1.0) is DigestOutcome.STALE
