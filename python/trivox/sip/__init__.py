"""Dialogs, invite sessions, digest and registration: sans-I/O, on the native SIP core."""

from trivox._native import Message, NameAddr, Uri

__all__ = ["Message", "NameAddr", "Uri"]
