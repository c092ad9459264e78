"""What values of headers have in common (RFC 3261 §7.3.1)."""

from __future__ import annotations


def without_parameters(value: str) -> str:
    """Return a token, as a media type, without its parameters; tokens mean the same in any case."""
    return value.partition(";")[0].strip().lower()


def split_headers(uri: str) -> tuple[str, str]:
    """Return a SIP URI and the headers in it, without the "?" between them (RFC 3261 §19.1.1).

    What stands before the first "@" is the user's, who may be called `a?b;c`.
    """
    question = uri.find("?", uri.find("@") + 1)
    return (uri, "") if question < 0 else (uri[:question], uri[question + 1 :])


def as_request_uri(uri: str) -> str:
    """Return a SIP URI without what a Request-URI does not hold: headers, and the method (§19.1.5)."""
    plain, _ = split_headers(uri)
    host = plain.find("@") + 1
    kept = [part for part in plain[host:].split(";") if not part.lower().startswith("method=")]
    return plain[:host] + ";".join(kept)
