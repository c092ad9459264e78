//! The two errors of this crate: peer bytes that do not parse, and values that may not be sent.
use thiserror::Error;

/// Received bytes break a rule of the grammar or a bound.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{reason}")]
pub struct ParseError {
    /// What a UAS answers if the message can be answered at all.
    pub status: u16,
    /// The reason, fit for a reason phrase; never holds peer bytes.
    pub reason: &'static str,
}

impl ParseError {
    pub(crate) const fn bad(reason: &'static str) -> Self {
        Self {
            status: 400,
            reason,
        }
    }
}

/// A header name or value given by the application that must not go on the wire.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what} {why}")]
pub struct InvalidHeader {
    /// Which field.
    pub what: String,
    /// What is wrong with it and what to do.
    pub why: &'static str,
}
