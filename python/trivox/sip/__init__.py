"""Dialogs, invite sessions, digest and registration: sans-I/O, on the native SIP core."""
