//! What a relay behind TLS is asked to prove.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::MediaError;

/// Octets that wait for TLS to send them; more is lost, as on any full line.
const MOST_WAITING: usize = 65_536;

/// The authorities that a program believes, for relays over TLS.
#[derive(Debug, Clone)]
pub struct TrustedRoots(Arc<ClientConfig>);

impl TrustedRoots {
    /// Takes certificates in DER; what cannot be read is passed over, as in every store.
    ///
    /// # Errors
    /// `MediaError::Argument` when there is none.
    pub fn new(certificates: Vec<Vec<u8>>) -> Result<Self, MediaError> {
        let mut roots = RootCertStore::empty();
        let certificates = certificates.into_iter().map(CertificateDer::from);
        let (taken, _) = roots.add_parsable_certificates(certificates);
        if taken == 0 {
            return Err(MediaError::Argument(
                "a relay over TLS needs authorities to be believed: none is given".to_owned(),
            ));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| MediaError::Fault(format!("TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Begins a session with the one whose certificate must have this name, or IP address.
    pub(super) fn begin(&self, name: &str) -> Result<ClientConnection, MediaError> {
        let refused = |error: &dyn std::fmt::Display| MediaError::Argument(error.to_string());
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let server = match bare.parse::<IpAddr>() {
            Ok(address) => ServerName::from(address),
            Err(_) => ServerName::try_from(name.to_owned()).map_err(|error| refused(&error))?,
        };
        let mut session =
            ClientConnection::new(Arc::clone(&self.0), server).map_err(|error| refused(&error))?;
        session.set_buffer_limit(Some(MOST_WAITING));
        Ok(session)
    }
}
