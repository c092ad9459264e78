//! The SIP half of the extension.
mod address;
mod core;
mod datagrams;
mod keep_alive;
mod message;
mod reuse;
mod sending;
mod silence;
mod text;
mod unsent;
mod values;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use trivox_sip::EventKind;

/// Adds the SIP classes to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, kind) in [
        ("EVENT_REQUEST", EventKind::Request),
        ("EVENT_ACK", EventKind::Ack),
        ("EVENT_CANCEL", EventKind::Cancel),
        ("EVENT_RESPONSE", EventKind::Response),
        ("EVENT_TIMEOUT", EventKind::Timeout),
        ("EVENT_TRANSPORT_ERROR", EventKind::TransportError),
        ("EVENT_ACK_TIMEOUT", EventKind::AckTimeout),
        ("EVENT_STRAY_RESPONSE", EventKind::StrayResponse),
        ("EVENT_FLOW_BROKEN", EventKind::FlowBroken),
        ("EVENT_PROXY_CANCELLED", EventKind::ProxyCancelled),
        ("EVENT_PONG", EventKind::Pong),
    ] {
        module.add(name, kind as u8)?;
    }
    // The stub's alias for what an event is; at run time a plain tuple.
    module.add("SipEvent", module.py().get_type::<PyTuple>())?;
    module.add_class::<message::Message>()?;
    module.add_class::<core::SipCore>()?;
    module.add_class::<address::Uri>()?;
    module.add_class::<address::NameAddr>()
}
