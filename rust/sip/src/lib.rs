//! Sans-I/O SIP: bytes and `now` in, outputs out. No sockets, no clock, no threads.
#![forbid(unsafe_code)]

mod core;
mod error;
mod framing;
mod hash;
mod message;
mod timers;
mod transaction;

pub use crate::core::{
    Address, Counters, DoorSettings, Event, EventKind, Forward, Origin, Outgoing, Output, Reply,
    Settings, SipCore,
};
pub use crate::error::{InvalidHeader, ParseError};
pub use crate::framing::{Framed, Framer};
pub use crate::message::{HeaderName, Message, NameAddr, Parameters, Uri, Via, check_value};
