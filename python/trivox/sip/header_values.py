"""What values of headers have in common (RFC 3261 §7.3.1)."""

from __future__ import annotations


def without_parameters(value: str) -> str:
    """Return a token, as a media type, without its parameters; tokens mean the same in any case."""
    return value.partition(";")[0].strip().lower()
