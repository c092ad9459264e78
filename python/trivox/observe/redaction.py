"""Messages without what would let their reader listen in, or pass for somebody else."""

from __future__ import annotations

import re
from typing import Final

# Each names in its first group what stays before a secret, in its second the secret. A header may
# be folded (RFC 3261 §7.3.1), so credentials end only where no blank follows the line.
_SECRETS: Final = (
    # RFC 4568 §6.1: the key of SRTP, without lifetime and key identifier.
    re.compile(rb"(?im)^(a=crypto:[^\r\n]*?inline:)([^|;\s]+)"),
    # A second key of the same line.
    re.compile(rb"(?im)(;inline:)([^|;\s]+)"),
    # RFC 8839 §5.4.
    re.compile(rb"(?im)^(a=ice-pwd:)([^\r\n]+)"),
    # RFC 7616 §3.4, §3.5: a password can be tried on what was made of it.
    re.compile(rb"(?i)(\b(?:response|rspauth|response-auth)[ \t]*=[ \t]*\"?)([0-9a-f]{16,})"),
    # Other schemes of authorization, such as Basic and Bearer (RFC 7617, RFC 6750).
    re.compile(rb"(?im)^((?:proxy-)?authorization[ \t]*:[ \t]*(?!digest\b)[^\s]+[ \t]+)([^\r\n]+)"),
    # RFC 3261 §19.1.1: the password of a URI.
    re.compile(rb"(?i)(\bsips?:[^\s:@<>;\"]+:)([^\s@:<>;\"/]+)(?=@)"),
    # application/dtmf-relay: what is typed may be a card's number.
    re.compile(rb"(?im)^(signal[ \t]*=[ \t]*)([0-9a-d*#])"),
)


def redacted(message: bytes) -> bytes:
    """Put an "x" in place of each octet of a key, password or digit; all else stays in its place.

    Keys of SRTP, passwords of ICE, digest answers and other credentials, passwords in URIs, and
    digits in INFO. The length is the same, so Content-Length is still right.
    """
    for secret in _SECRETS:
        message = secret.sub(lambda found: found[1] + b"x" * len(found[2]), message)
    return message
