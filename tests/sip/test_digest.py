"""Digest authentication: the RFCs' vectors, the client's choices, the server's verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.sip import digest_values
from trivox.sip.digest import (
    Authorizer,
    DigestAlgorithm,
    DigestClient,
    DigestOutcome,
    DigestServer,
)
from trivox.sip.digest_values import (
    digest_response,
    hash_user,
    read_challenge_untrusted,
    read_parameters_untrusted,
)

RFC_7616 = {
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "uri": "/dir/index.html",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "nc": "00000001",
    "qop": "auth",
}


def challenge(realm: str = "r", algorithm: str | None = "MD5", **more: str) -> str:
    fields = {"realm": f'"{realm}"', "nonce": '"n"', "qop": '"auth"'} | more
    if algorithm is not None:
        fields["algorithm"] = algorithm
    return "Digest " + ", ".join(f"{name}={value}" for name, value in fields.items() if value)


def answered(value: str | None) -> dict[str, str]:
    assert value is not None
    parameters = read_parameters_untrusted(value)
    assert parameters is not None
    return parameters


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (DigestAlgorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (
            DigestAlgorithm.SHA_256,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ],
)
def test_rfc_7616_section_3_9_1_vectors(algorithm: DigestAlgorithm, expected: str) -> None:
    ha1 = hash_user(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")

    assert digest_response(algorithm, ha1, "GET", RFC_7616, b"") == expected


def test_sha_512_256_as_corrected_by_the_errata_of_rfc_7616() -> None:
    algorithm = DigestAlgorithm.SHA_512_256
    ha1 = hash_user(algorithm, "Jäsøn Doe", "api@example.org", "Secret, or not?")
    parameters = {
        "nonce": "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "uri": "/doe.json",
        "cnonce": "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        "nc": "00000001",
        "qop": "auth",
    }

    response = digest_response(algorithm, ha1, "GET", parameters, b"")

    assert response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_rfc_2617_section_3_5_vector_through_the_client() -> None:
    client = DigestClient("Mufasa", "Circle Of Life", realms=["testrealm@host.com"])
    value = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int",'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )

    sent = answered(client.answer([value], "GET", "/dir/index.html", b"", "0a4f113b"))

    assert sent == {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "uri": "/dir/index.html",
        "response": "6629fae49393a05397450978507c4ef1",
        "cnonce": "0a4f113b",
        "qop": "auth",
        "nc": "00000001",
        "opaque": "5ccc069c403ebaf9f0171e9517f40e41",
    }


def test_challenge_without_qop_is_answered_as_rfc_2617_says() -> None:
    """RFC 2617 §3.5."""
    client = DigestClient("u", "p", realms=["r"])

    sent = answered(client.answer([challenge(qop="")], "INVITE", "sip:x", b"", "c"))

    ha1 = hash_user(DigestAlgorithm.MD5, "u", "r", "p")
    expected = digest_response(
        DigestAlgorithm.MD5, ha1, "INVITE", {"nonce": "n", "uri": "sip:x"}, b""
    )
    assert sent["response"] == expected
    assert "nc" not in sent


def test_auth_int_covers_the_body() -> None:
    client = DigestClient("u", "p", realms=["r"])
    value = challenge(qop='"auth-int"')

    first = answered(client.answer([value], "INVITE", "sip:x", b"one", "c"))
    again = DigestClient("u", "p", realms=["r"])
    second = answered(again.answer([value], "INVITE", "sip:x", b"two", "c"))

    assert first["qop"] == "auth-int"
    assert first["response"] != second["response"]


def test_client_picks_the_strongest_of_several_challenges() -> None:
    """RFC 7616 §3.7."""
    client = DigestClient("u", "p", realms=["r"])
    values = [challenge(algorithm=name) for name in ("MD5", "SHA-512-256", "SHA-256")]

    assert answered(client.answer(values, "INVITE", "sip:x", b"", "c"))["algorithm"] == (
        "SHA-512-256"
    )


def test_client_never_answers_a_realm_it_was_not_configured_for() -> None:
    client = DigestClient("u", "p", realms=["r"])

    assert client.answer([challenge("evil")], "INVITE", "sip:x", b"", "c") is None


def test_client_without_md5_refuses_a_downgrade() -> None:
    client = DigestClient("u", "p", realms=["r"], algorithms=[DigestAlgorithm.SHA_256])

    assert client.select([challenge()]) == ()


def test_client_with_a_hash_answers_its_algorithm_only() -> None:
    ha1 = hash_user(DigestAlgorithm.MD5, "u", "r", "p")
    client = DigestClient("u", ha1={DigestAlgorithm.MD5: ha1}, realms=["r"])
    by_password = DigestClient("u", "p", realms=["r"])

    hashed = client.answer([challenge(algorithm="SHA-256"), challenge()], "A", "sip:x", b"", "c")

    assert hashed == by_password.answer([challenge()], "A", "sip:x", b"", "c")


def test_nonce_count_rises_with_each_use_and_per_nonce() -> None:
    client = DigestClient("u", "p", realms=["r"])

    counts = [
        answered(client.answer([challenge(nonce=f'"{nonce}"')], "A", "sip:x", b"", "c"))["nc"]
        for nonce in ("a", "a", "b", "a")
    ]

    assert counts == ["00000001", "00000002", "00000001", "00000003"]


def test_client_remembers_a_bounded_number_of_nonces() -> None:
    client = DigestClient("u", "p", realms=["r"])
    for number in range(65):
        client.answer([challenge(nonce=f'"{number}"')], "A", "sip:x", b"", "c")

    again = client.answer([challenge(nonce='"0"')], "A", "sip:x", b"", "c")

    assert answered(again)["nc"] == "00000001"


@pytest.mark.parametrize(
    "value",
    [
        "Basic realm=x",
        'Digest realm="r"',
        'Digest nonce="n"',
        'Digest realm="r", nonce="n", algorithm=MD5-sess',
        'Digest realm="r", nonce="n", qop="fancy"',
        'Digest realm="r", realm="r", nonce="n"',
        'Digest realm="r", nonce="n',
        "Digest " + ", ".join(f"a{n}=b" for n in range(40)),
    ],
)
def test_challenge_that_cannot_be_answered_is_passed_over(value: str) -> None:
    assert read_challenge_untrusted(value) is None


def test_quoted_pairs_survive_both_ways() -> None:
    client = DigestClient('a"b\\c', "p", realms=['r"x'])
    value = challenge('r\\"x')

    sent = answered(client.answer([value], "A", "sip:x", b"", "c"))

    assert (sent["username"], sent["realm"]) == ('a"b\\c', 'r"x')


@given(st.text())
def test_any_text_is_parameters_or_nothing(text: str) -> None:
    for value in (text, "Digest " + text):
        parameters = read_parameters_untrusted(value)
        assert parameters is None or all(name == name.lower() for name in parameters)


def test_secrets_are_in_no_repr() -> None:
    client = DigestClient("u", "p4ssword", realms=["r"], ha1={DigestAlgorithm.MD5: "abcdef"})
    server = DigestServer(b"s3cret-s3cret-s3", "r")

    shown = repr(client) + repr(server)

    assert "p4ssword" not in shown
    assert "abcdef" not in shown
    assert "s3cret" not in shown


# What one request goes through


def test_authorizer_answers_each_realm_once() -> None:
    authorizer = Authorizer(DigestClient("u", "p", realms=["r", "proxy"]), "c")

    assert authorizer.can_answer(407, [challenge("proxy")])
    assert authorizer.can_answer(401, [challenge("r")])
    assert not authorizer.can_answer(401, [challenge("r")])
    assert [name for name, _ in authorizer.headers("INVITE", "sip:x", b"")] == [
        "Proxy-Authorization",
        "Authorization",
    ]


def test_authorizer_answers_again_when_the_nonce_was_stale() -> None:
    """RFC 7616 §3.3."""
    authorizer = Authorizer(DigestClient("u", "p", realms=["r"]), "c")
    authorizer.can_answer(401, [challenge()])

    again = authorizer.can_answer(401, [challenge(nonce='"fresh"', stale="TRUE")])

    assert again
    [(_, value)] = authorizer.headers("INVITE", "sip:x", b"")
    assert answered(value)["nonce"] == "fresh"


def test_authorizer_gives_up_on_endless_stale_challenges() -> None:
    authorizer = Authorizer(DigestClient("u", "p", realms=["r"]), "c")

    rounds = [authorizer.can_answer(401, [challenge(stale="true")]) for _ in range(8)]

    assert rounds == [True] * 6 + [False] * 2


def test_authorizer_without_credentials_answers_nothing() -> None:
    authorizer = Authorizer(None, "c")

    assert not authorizer.can_answer(401, [challenge()])
    assert authorizer.headers("INVITE", "sip:x", b"") == ()


def test_authorizer_answers_only_401_and_407() -> None:
    assert not Authorizer(DigestClient("u", "p", realms=["r"]), "c").can_answer(403, [challenge()])


# The server

SECRET = bytes(range(16))


def lookup(user: str) -> str | None:
    return {"alice": "pw"}.get(user)


def credentials(server: DigestServer, user: str = "alice", password: str = "pw") -> str:
    client = DigestClient(user, password, realms=["board"])
    value = client.answer(server.challenges(100.0), "REGISTER", "sip:board", b"", "c")
    assert value is not None
    return value


def test_server_offers_the_strongest_first_and_md5_only_if_allowed() -> None:
    every = DigestServer(SECRET, "board").challenges(0.0)
    no_md5 = DigestServer(
        SECRET, "board", algorithms=[DigestAlgorithm.SHA_256, DigestAlgorithm.SHA_512_256]
    ).challenges(0.0)

    assert [answered(value)["algorithm"] for value in every] == ["SHA-512-256", "SHA-256", "MD5"]
    assert [answered(value)["algorithm"] for value in no_md5] == ["SHA-512-256", "SHA-256"]


def test_right_password_is_accepted_and_names_the_user() -> None:
    server = DigestServer(SECRET, "board")

    verdict = server.check([credentials(server)], "REGISTER", "sip:board", lookup, 101.0)

    assert (verdict.outcome, verdict.user) == (DigestOutcome.ACCEPTED, "alice")


@pytest.mark.parametrize("uri", ["sip:board:5060", "SIP:BOARD;transport=tcp", "sip:board"])
def test_credentials_for_an_equivalent_request_uri_are_accepted(uri: str) -> None:
    server = DigestServer(SECRET, "board")

    verdict = server.check([credentials(server)], "REGISTER", uri, lookup, 101.0)

    assert verdict.outcome is DigestOutcome.ACCEPTED


@pytest.mark.parametrize("user", ["alice", "nobody"])
@pytest.mark.parametrize(
    "uri", ["sip:carol@board", "sip:board:5070", "sips:board", "tel:1", "sip:"]
)
def test_credentials_for_another_request_uri_are_misdirected(user: str, uri: str) -> None:
    server = DigestServer(SECRET, "board")

    verdict = server.check([credentials(server, user)], "REGISTER", uri, lookup, 101.0)

    assert (verdict.outcome, verdict.user) == (DigestOutcome.MISDIRECTED, "")


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "pw")])
def test_wrong_password_and_unknown_user_get_the_same_verdict(user: str, password: str) -> None:
    server = DigestServer(SECRET, "board")

    verdict = server.check(
        [credentials(server, user, password)], "REGISTER", "sip:board", lookup, 101.0
    )

    assert (verdict.outcome, verdict.user) == (DigestOutcome.REFUSED, user)


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_unknown_user_is_hashed_for_as_often_as_a_known_one(monkeypatch, user: str) -> None:
    server = DigestServer(SECRET, "board")
    value = credentials(server, user, "wrong")
    hashed: list[str] = []
    original = digest_values.hash_text
    monkeypatch.setattr(
        digest_values,
        "hash_text",
        lambda algorithm, text: hashed.append(str(algorithm)) or original(algorithm, text),
    )

    server.check([value], "REGISTER", "sip:board", lookup, 101.0)

    assert hashed == ["SHA-512-256"] * 3


def test_credentials_are_bound_to_the_method() -> None:
    server = DigestServer(SECRET, "board")

    verdict = server.check([credentials(server)], "INVITE", "sip:board", lookup, 101.0)

    assert verdict.outcome is DigestOutcome.REFUSED


def test_replayed_credentials_are_stale() -> None:
    server = DigestServer(SECRET, "board")
    value = credentials(server)
    server.check([value], "REGISTER", "sip:board", lookup, 101.0)

    assert (
        server.check([value], "REGISTER", "sip:board", lookup, 101.0).outcome is DigestOutcome.STALE
    )


def test_rising_nonce_count_is_accepted() -> None:
    server = DigestServer(SECRET, "board")
    client = DigestClient("alice", "pw", realms=["board"])
    challenges = server.challenges(100.0)
    values = [client.answer(challenges, "REGISTER", "sip:board", b"", "c") for _ in range(2)]

    outcomes = [
        server.check([value or ""], "REGISTER", "sip:board", lookup, 101.0).outcome
        for value in values
    ]

    assert outcomes == [DigestOutcome.ACCEPTED] * 2


def outcomes_of(order: list[int]) -> list[DigestOutcome]:
    """What a server makes of the uses of one nonce in that order."""
    server = DigestServer(SECRET, "board")
    client = DigestClient("alice", "pw", realms=["board"])
    challenges = server.challenges(100.0)
    values = [
        client.answer(challenges, "REGISTER", "sip:board", b"", "c") or ""
        for _ in range(max(order))
    ]
    return [
        server.check([values[use - 1]], "REGISTER", "sip:board", lookup, 101.0).outcome
        for use in order
    ]


def test_a_use_that_was_overtaken_is_accepted_once() -> None:
    accepted, stale = DigestOutcome.ACCEPTED, DigestOutcome.STALE

    assert outcomes_of([2, 1, 1, 2, 5, 3, 4, 3]) == [
        *[accepted] * 2,
        *[stale] * 2,
        *[accepted] * 3,
        stale,
    ]


def test_a_use_that_is_64_behind_is_stale() -> None:
    accepted, stale = DigestOutcome.ACCEPTED, DigestOutcome.STALE

    assert outcomes_of([1, 65, 2, 1, 200, 136, 137]) == [
        *[accepted] * 3,
        stale,
        accepted,
        stale,
        accepted,
    ]


@given(st.lists(st.integers(1, 150), min_size=1, max_size=40))
def test_no_use_is_accepted_twice(order: list[int]) -> None:
    outcomes = outcomes_of(order)
    accepted = [
        use
        for use, outcome in zip(order, outcomes, strict=True)
        if outcome is DigestOutcome.ACCEPTED
    ]

    assert len(accepted) == len(set(accepted))
    assert max(order) in accepted


@pytest.mark.parametrize("now", [160.1, 90.0])
def test_nonce_outside_its_lifetime_is_stale(now: float) -> None:
    server = DigestServer(SECRET, "board", lifetime=60.0)

    assert server.check([credentials(server)], "REGISTER", "sip:board", lookup, now).outcome is (
        DigestOutcome.STALE
    )
    assert "stale=true" in server.challenges(now, stale=True)[0]


def test_nonce_of_another_secret_or_realm_is_stale() -> None:
    server = DigestServer(SECRET, "board")
    value = credentials(DigestServer(b"x" * 16, "board"))

    assert (
        server.check([value], "REGISTER", "sip:board", lookup, 101.0).outcome is DigestOutcome.STALE
    )


def test_nonce_older_than_a_forgotten_one_cannot_be_replayed() -> None:
    server = DigestServer(SECRET, "board", capacity=1)
    first, second = credentials(server), credentials(server)
    server.check([first], "REGISTER", "sip:board", lookup, 101.0)
    server.check([second], "REGISTER", "sip:board", lookup, 101.0)

    assert (
        server.check([first], "REGISTER", "sip:board", lookup, 101.0).outcome is DigestOutcome.STALE
    )


def test_request_without_credentials_for_our_realm_is_missing_them() -> None:
    server = DigestServer(SECRET, "board")
    other = 'Digest realm="other", nonce="n"'

    outcomes = [
        server.check(values, "REGISTER", "sip:board", lookup, 101.0).outcome
        for values in ([], [other], ["Basic x"])
    ]

    assert outcomes == [DigestOutcome.MISSING] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("algorithm=SHA-512-256", "algorithm=MD5-sess"),
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ('cnonce="c", ', ""),
        ("nc=00000001", "x=y"),
    ],
)
def test_damaged_credentials_are_refused(old: str, new: str) -> None:
    server = DigestServer(SECRET, "board")
    value = credentials(server)
    assert old in value

    verdict = server.check([value.replace(old, new)], "REGISTER", "sip:board", lookup, 101.0)

    assert verdict.outcome is DigestOutcome.REFUSED


def test_algorithm_that_was_not_offered_is_refused() -> None:
    strict = DigestServer(SECRET, "board", algorithms=[DigestAlgorithm.SHA_256])
    lax = DigestServer(SECRET, "board", algorithms=[DigestAlgorithm.MD5])

    verdict = strict.check([credentials(lax)], "REGISTER", "sip:board", lookup, 101.0)

    assert verdict.outcome is DigestOutcome.REFUSED
