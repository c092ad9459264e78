"""Who a certificate says its owner is, and whether that is who we wanted (RFC 5922 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trivox._native import Uri
from trivox.errors import ParseError
from trivox.net.target import numeric_host

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def identities_of(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the domains a certificate stands for, in lower case (RFC 5922 §7.1).

    SIP URIs without a user in subjectAltName; only if there is none its DNS names. IP addresses are
    added, for far ends that are called by one. The common name is never looked at: a certificate
    without subjectAltName stands for nobody.

    Args:
        certificate: As `ssl.SSLSocket.getpeercert` gives it.
    """
    names = certificate.get("subjectAltName", ())
    found = [domain for kind, value in names if kind == "URI" and (domain := _sip_domain(value))]
    if not found:
        found = [value.lower().rstrip(".") for kind, value in names if kind == "DNS"]
    found += [
        address
        for kind, value in names
        if kind == "IP Address" and (address := numeric_host(value.strip()))
    ]
    return tuple(dict.fromkeys(found))


def is_identified(domain: str, identities: Collection[str]) -> bool:
    """Tell whether one of the identities is that domain.

    Names are compared whole and without case; a wildcard stands for nothing (RFC 5922 §7.2).

    Args:
        domain: The host of the URI that was resolved, not what it was resolved to.
        identities: As `identities_of` returns them.
    """
    return (numeric_host(domain) or domain.lower().rstrip(".")) in identities


def _sip_domain(value: str) -> str:
    """Return the domain of a SIP URI that names a domain; empty for any other URI."""
    try:
        uri = Uri.parse(value)
    except ParseError:
        return ""
    return uri.host.lower() if uri.scheme == "sip" and not uri.user else ""
