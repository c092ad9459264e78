//! What all targets share: the start of their clocks, and a certificate.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use trivox_media::transport::Identity;

/// Where all virtual clocks start; nothing depends on what it is.
#[allow(clippy::disallowed_methods)]
pub(crate) static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Our end's certificate.
pub(crate) static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::generate().expect("keys can be made")));
