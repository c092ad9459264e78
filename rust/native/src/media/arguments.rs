//! What Python names or counts, as the engine has it.
use std::net::IpAddr;
use std::time::Duration;

use pyo3::prelude::*;
use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::player::Place;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{Direction, TransportKind};

use super::errors::raise;

pub(super) fn transport_kind(name: &str) -> Result<TransportKind, MediaError> {
    TransportKind::from_name(name).ok_or_else(|| {
        MediaError::Argument(format!(
            "a transport is \"plain\", \"sdes\", \"dtls\" or \"ice\", not {name:?}"
        ))
    })
}

pub(super) fn description_kind(name: &str) -> Result<DescriptionKind, MediaError> {
    match name {
        "offer" => Ok(DescriptionKind::Offer),
        "answer" => Ok(DescriptionKind::Answer),
        "provisional" => Ok(DescriptionKind::Provisional),
        _ => Err(MediaError::Argument(format!(
            "a description is an \"offer\", an \"answer\" or \"provisional\", not {name:?}"
        ))),
    }
}

pub(super) fn codec(name: &str) -> Result<CodecKind, MediaError> {
    CodecKind::from_name(name)
        .ok_or_else(|| MediaError::Argument(format!("there is no codec {name:?}")))
}

pub(super) fn address(text: &str) -> Result<IpAddr, MediaError> {
    text.parse()
        .map_err(|_| MediaError::Argument(format!("{text:?} is no IP address")))
}

pub(super) fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        raise(MediaError::Argument(format!(
            "{value} is no duration in seconds"
        )))
    })
}

pub(super) fn direction_of(name: &str) -> Result<Direction, MediaError> {
    Direction::from_name(name).ok_or_else(|| {
        MediaError::Argument(format!(
            "a direction is \"sendrecv\", \"sendonly\", \"recvonly\" or \"inactive\", not {name:?}"
        ))
    })
}

pub(super) fn place_of(name: &str) -> Result<Place, MediaError> {
    Place::from_name(name).ok_or_else(|| {
        MediaError::Argument(format!(
            "a place is \"queue\", \"beside\" or \"hold\", not {name:?}"
        ))
    })
}
