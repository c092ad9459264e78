"""The text and arithmetic of digest authentication that client and server share (RFC 7616, 8760)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Mapping


class DigestAlgorithm(StrEnum):
    """Hash of a digest; the values are those of the header (RFC 8760 §2.2)."""

    SHA_512_256 = "SHA-512-256"
    SHA_256 = "SHA-256"
    MD5 = "MD5"


STRONGEST_FIRST: Final = (
    DigestAlgorithm.SHA_512_256,
    DigestAlgorithm.SHA_256,
    DigestAlgorithm.MD5,
)

_HASHLIB_NAME: Final = {
    DigestAlgorithm.SHA_512_256: "sha512_256",
    DigestAlgorithm.SHA_256: "sha256",
    DigestAlgorithm.MD5: "md5",
}

_PARAMETER: Final = re.compile(
    r'\s*([A-Za-z0-9\-.!%*_+`\'~]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)', re.DOTALL
)
_MAX_PARAMETERS: Final = 32
# A quoted string is stepped over; else a comma before "scheme parameter=" ends a challenge.
_BOUNDARY: Final = re.compile(
    r'"(?:[^"\\]|\\.)*(?:"|\Z)|,\s*(?=[A-Za-z0-9\-.!%*_+`\'~]+[ \t]+[A-Za-z0-9\-]+\s*=)', re.DOTALL
)


@final
@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """One understood challenge of a 401 or 407 (RFC 7616 §3.3)."""

    realm: str
    nonce: str
    algorithm: DigestAlgorithm
    qop: str
    """The quality of protection we choose: "auth", "auth-int", or empty for an RFC 2617 challenge without."""
    opaque: str | None
    is_stale: bool
    algorithm_as_sent: str | None


def read_parameters_untrusted(value: str) -> dict[str, str] | None:
    """Return the parameters of a Digest challenge or credentials, names in lower case.

    None for another scheme, a syntax error, a repeated name or too many of them: none of these
    can be answered or checked.
    """
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    parameters: dict[str, str] = {}
    position = 0
    while position < len(rest):
        found = _PARAMETER.match(rest, position)
        if found is None or len(parameters) == _MAX_PARAMETERS:
            return None
        name, quoted, token = found.groups()
        if name.lower() in parameters:
            return None
        parameters[name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = found.end()
    return parameters


def split_challenges_untrusted(value: str) -> list[str]:
    """Return the challenges of one header line, which may be a list (RFC 7235 §4.1)."""
    parts, start = [], 0
    for found in _BOUNDARY.finditer(value):
        if found[0].startswith(","):
            parts.append(value[start : found.start()])
            start = found.end()
    return [*parts, value[start:]]


def read_challenge_untrusted(value: str) -> DigestChallenge | None:
    """Return the challenge of a WWW-Authenticate or Proxy-Authenticate value if we can answer it."""
    parameters = read_parameters_untrusted(value)
    if parameters is None or "realm" not in parameters or "nonce" not in parameters:
        return None
    sent = parameters.get("algorithm")
    algorithm = algorithm_of(sent)
    offered = [option.strip().lower() for option in parameters.get("qop", "").split(",")]
    qop = next((known for known in ("auth", "auth-int", "") if known in offered), None)
    repeated = (parameters["realm"], parameters["nonce"], parameters.get("opaque", ""))
    # What no request of ours may hold cannot be repeated in one.
    if algorithm is None or qop is None or not all(text.isprintable() for text in repeated):
        return None
    return DigestChallenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        algorithm=algorithm,
        qop=qop,
        opaque=parameters.get("opaque"),
        is_stale=parameters.get("stale", "").lower() == "true",
        algorithm_as_sent=sent,
    )


def algorithm_of(name: str | None) -> DigestAlgorithm | None:
    """Return the algorithm of that name; MD5 when there is none (RFC 7616 §3.3), None if unknown."""
    if name is None:
        return DigestAlgorithm.MD5
    return next((known for known in STRONGEST_FIRST if known.lower() == name.lower()), None)


def quote(value: str) -> str:
    """Return `value` as a quoted-string (RFC 3261 §25.1)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def hash_text(algorithm: DigestAlgorithm, text: str | bytes) -> str:
    """Return the lower-case hexadecimal hash of text, taken as UTF-8."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return hashlib.new(_HASHLIB_NAME[algorithm], data, usedforsecurity=False).hexdigest()


def hash_user(algorithm: DigestAlgorithm, user: str, realm: str, password: str) -> str:
    """Return H(A1), which stands for the password within one realm (RFC 7616 §3.4.2)."""
    return hash_text(algorithm, f"{user}:{realm}:{password}")


def digest_response(
    algorithm: DigestAlgorithm,
    ha1: str,
    method: str,
    parameters: Mapping[str, str],
    body: bytes,
) -> str:
    """Return the `response` of credentials with these parameters (RFC 7616 §3.4.1).

    Args:
        algorithm: The hash.
        ha1: H(A1) of the user.
        method: Of the request.
        parameters: nonce, uri, and with a qop also qop, nc, cnonce.
        body: Of the request; counts for qop=auth-int only.
    """
    qop = parameters.get("qop", "")
    a2 = f"{method}:{parameters['uri']}"
    if qop == "auth-int":
        a2 += ":" + hash_text(algorithm, body)
    middle = [parameters["nonce"]]
    if qop:
        middle += [parameters["nc"], parameters["cnonce"], qop]
    return hash_text(algorithm, ":".join([ha1, *middle, hash_text(algorithm, a2)]))
