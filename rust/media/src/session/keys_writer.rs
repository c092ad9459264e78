//! What our descriptions say of keys where there is no ICE.

use super::crypto;
use super::exchange::LocalMedia;
use super::negotiation::RemoteTransport;
use super::sdp::Media;
use super::sdp_writer::{Lines, line, write_certificate};

/// Offers what the transport has: the fingerprint, or our keys, that of the suite in use first.
pub(super) fn write_offered_keys(out: &mut Lines, local: &LocalMedia, in_use: Option<&Media>) {
    if let Some(fingerprint) = &local.fingerprint {
        write_certificate(out, fingerprint, "actpass");
    }
    let agreed = in_use.and_then(|media| crypto::lines(media).next());
    for suite in crypto::offered(agreed.map(|line| line.key.suite())) {
        if let Some(key) = local.keys.iter().find(|key| key.suite() == suite) {
            line!(out, "{}", crypto::write(crypto::own_tag(suite), key));
        }
    }
}

/// Answers with the fingerprint and our role, or with our key for the suite that is agreed.
pub(super) fn write_answered_keys(
    out: &mut Lines,
    local: &LocalMedia,
    agreed: &RemoteTransport,
    role: &str,
) {
    if let Some(fingerprint) = &local.fingerprint {
        write_certificate(out, fingerprint, role);
    }
    if let RemoteTransport::Sdes(theirs) = agreed {
        let suite = theirs.key.suite();
        if let Some(key) = local.keys.iter().find(|key| key.suite() == suite) {
            line!(out, "{}", crypto::write(theirs.tag, key));
        }
    }
}
