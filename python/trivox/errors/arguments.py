"""What a program asked that cannot be meant, raised before anything was done."""

from trivox.errors.base import TrivoxError


class InvalidArgumentsError(TrivoxError, ValueError):
    """An argument is wrong; raised before anything was done."""


class RequiredParameterError(InvalidArgumentsError):
    """A parameter that is needed here was left out."""


class InvalidMimeTypeError(
    InvalidArgumentsError, advice="write it as type/subtype, for example text/plain"
):
    """A content type is not of the form type/subtype (RFC 3261 §20.15)."""


class InvalidHeaderError(
    InvalidArgumentsError,
    advice="use X-… names, and values without line breaks or control characters",
):
    """A header's name or value may not be sent.

    Control characters would let a value forge further headers; names such as Via, From or
    Call-ID belong to the dialog.
    """


class InvalidDtmfError(
    InvalidArgumentsError, advice="use the characters 0-9, A-D, * and #, and a comma for a pause"
):
    """A string of tones holds a character that is no tone, or is empty."""


class InvalidUriError(
    InvalidArgumentsError, advice="write it as sip:user@host, with ;transport= where it matters"
):
    """A URI cannot be parsed, or is of no use here."""


class ParseError(TrivoxError, ValueError):
    """Bytes are not what they claim to be: a SIP message, a URI, a header value."""
