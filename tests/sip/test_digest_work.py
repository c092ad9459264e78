"""Whoever tries users and passwords learns nothing from how long a refusal takes."""

from __future__ import annotations

import gc
import sys

import pytest

from trivox.sip.digest import Authorizer, DigestClient
from trivox.sip.digest_server import DigestOutcome, DigestServer
from trivox.sip.digest_values import DigestAlgorithm

URI = "sip:example.org"


def _work(user: str, password: str, algorithm: DigestAlgorithm) -> tuple[DigestOutcome, int]:
    """Return the verdict on a REGISTER, and how many functions it took to find."""
    server = DigestServer(b"0123456789abcdef", "example.org", algorithms=[algorithm])
    client = DigestClient(user, password, realms=["example.org"], algorithms=[algorithm])
    authorizer = Authorizer(client, "cnonce", uri=URI, is_outside=True)
    assert authorizer.can_answer(401, server.challenges(0.0))
    ((_, value),) = authorizer.headers("REGISTER", URI, b"")
    users = {"alice": "right-password"}
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # a collection would be counted, with what others do at its end
    sys.setprofile(count)
    try:
        verdict = server.check([value], "REGISTER", URI, users.get, 1.0)
    finally:
        sys.setprofile(None)
        gc.enable()
    return verdict.outcome, calls


@pytest.mark.parametrize("algorithm", DigestAlgorithm)
def test_an_unknown_user_costs_what_a_wrong_password_costs(algorithm) -> None:
    wrong = _work("alice", "wrong-password", algorithm)
    unknown = _work("nobody", "wrong-password", algorithm)

    assert wrong[0] is unknown[0] is DigestOutcome.REFUSED
    assert wrong[1] == unknown[1]
    assert _work("alice", "right-password", algorithm)[0] is DigestOutcome.ACCEPTED
