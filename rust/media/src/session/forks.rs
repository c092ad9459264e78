//! The transports of early dialogs that are not heard at the moment (RFC 3261 §19.3 "forking").
use crate::transport::{IceTransport, Transport};

/// More than a call rings at; the oldest gives way.
const MOST_ASIDE: usize = 8;

/// Keeps what each fork has negotiated, so that one may be heard again: its far end has finished
/// DTLS with us and does not begin anew.
#[derive(Default)]
pub(super) struct Forks {
    current: String,
    /// What was offered, while a fork is heard that has agreed on another transport.
    offered: Option<Transport>,
    aside: Vec<(String, Transport)>,
}

impl Forks {
    /// Notes whose answer is in use.
    pub(super) fn enter(&mut self, dialog: &str) {
        dialog.clone_into(&mut self.current);
    }

    /// Changes to the fork `dialog`: its transport of before, else the one that `make` makes.
    ///
    /// # Errors
    /// What `make` says; nothing has changed then.
    pub(super) fn change<E>(
        &mut self,
        transport: &mut Transport,
        dialog: &str,
        make: impl FnOnce(&Transport) -> Result<Transport, E>,
    ) -> Result<(), E> {
        let known = self.aside.iter().position(|(name, _)| name == dialog);
        let next = match known {
            Some(index) => self.aside.remove(index).1,
            None => make(transport)?,
        };
        let before = std::mem::replace(transport, next);
        if self.aside.len() == MOST_ASIDE {
            self.aside.remove(0);
        }
        self.aside.push((self.current.clone(), before));
        Ok(())
    }

    /// Keeps the transport that another kind takes the place of.
    pub(super) fn keep_offered(&mut self, transport: Transport) {
        self.offered = Some(transport);
    }

    /// Gives that transport back if it is one of those wanted: its keys are those of the offer.
    pub(super) fn take_offered(
        &mut self,
        is_wanted: impl FnOnce(&Transport) -> bool,
    ) -> Option<Transport> {
        self.offered.take_if(|transport| is_wanted(transport))
    }

    /// Those by ICE: what is gathered while another is heard is theirs too.
    pub(super) fn ices(&mut self) -> impl Iterator<Item = &mut IceTransport> {
        let aside = self.aside.iter_mut().map(|(_, transport)| transport);
        aside
            .chain(&mut self.offered)
            .filter_map(|transport| match transport {
                Transport::Ice(ice) => Some(&mut **ice),
                _ => None,
            })
    }

    /// Lets go of all but the one in use: the call is answered.
    pub(super) fn settle(&mut self) {
        self.aside = Vec::new();
        self.offered = None;
    }
}
