//! Sans-I/O SIP: bytes and `now` in, outputs out. No sockets, no clock, no threads.
#![forbid(unsafe_code)]
