//! What the network says it could not deliver (RFC 3261 §18.4).
use super::{EventKind, SipCore};
use crate::message::{HeaderName, Message};
use crate::transaction::Side;
use crate::transaction::key::client_key;
use crate::transaction::tables::State;

/// How often a request comes back before it fails: 7·T1, in which a far end may be starting.
const PATIENCE: u8 = 4;

impl SipCore {
    /// Fail the request that an error of the network quotes, if nothing has been heard of it yet: at
    /// once if another server can be asked, else when it has come back some times.
    ///
    /// The error may be anybody's: it counts only if it quotes a branch of ours, which nobody
    /// guesses. `is_final` is whether the far end itself has nobody there; a network without a way
    /// may have one again, so that it ends no request within a dialog. The event comes with the next
    /// `handle_timeout`. Returns whether there was such a request.
    pub fn undelivered(&mut self, quoted: &[u8], is_final: bool) -> bool {
        self.send_back(quoted, PATIENCE, is_final)
    }

    /// Fail a request that this system has no way to send by: at once, unless it is within a dialog
    /// (RFC 3261 §17.1.4). As `undelivered` otherwise.
    pub fn unsendable(&mut self, message: &[u8]) -> bool {
        self.send_back(message, 1, false)
    }

    fn send_back(&mut self, quoted: &[u8], patience: u8, is_final: bool) -> bool {
        let Some((method, branch)) = quoted_request(quoted) else {
            return false;
        };
        let key = client_key(&self.hash, branch, method);
        let Some(&id) = self.clients.get(&key) else {
            return false;
        };
        let Some(transaction) = self.transactions.get_mut(&id) else {
            return false;
        };
        let Side::Client(client) = &mut transaction.side else {
            return false;
        };
        client.sent_back = client.sent_back.saturating_add(1);
        let fails = transaction.state == State::Trying
            && (client.has_next || client.sent_back >= patience)
            && (is_final || !is_inside_dialog(&transaction.last));
        if fails {
            // Beside what waits already, as the queue is in order of time.
            let at = self.pending.last().map_or(f64::NEG_INFINITY, |last| last.0);
            let error = self.event(EventKind::TransportError, id, None);
            self.pending.push((at, error));
            self.remove(id);
        }
        fails
    }
}

/// Method and branch of a request of ours, however short it was cut.
fn quoted_request(quoted: &[u8]) -> Option<(&[u8], &[u8])> {
    const BRANCH: &[u8] = b";branch=";
    let method = &quoted[..quoted.iter().position(|&byte| byte == b' ')?];
    let at = quoted.windows(BRANCH.len()).position(|one| one == BRANCH)?;
    let rest = &quoted[at + BRANCH.len()..];
    let end = rest.iter().position(|byte| b";\r\n, ".contains(byte))?;
    Some((method, &rest[..end]))
}

fn is_inside_dialog(request: &[u8]) -> bool {
    Message::read(request).is_ok_and(|request| !request.tag(HeaderName::To).is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::{Address, Outgoing, Settings};
    use super::*;

    fn ask(core: &mut SipCore, method: &str, to: &str) -> Vec<u8> {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let request = Outgoing {
            method,
            uri: b"sip:b@b",
            flow: 1,
            destination: Address {
                host: "192.0.2.2".into(),
                port: 5060,
            },
            sent_by: "192.0.2.1",
            headers: vec![
                header("From", "<sip:a@a>;tag=f"),
                header("To", to),
                header("Call-ID", "c"),
                header("CSeq", &format!("1 {method}")),
            ],
            body: b"",
        };
        let id = core.request(&request, 7, 1.0).expect("it is well made");
        core.shorten(id, 4.0, 1.0);
        core.take_output().remove(0).data
    }

    fn core() -> SipCore {
        let mut core = SipCore::new(b"seed", Settings::default());
        core.open_flow(1, "udp");
        core
    }

    #[test]
    fn a_request_that_the_network_sends_back_fails_at_once() {
        let mut core = core();
        let sent = ask(&mut core, "INVITE", "<sip:b@b>");

        let known = core.undelivered(&sent[..sent.len().min(200)], true);
        let events = core.handle_timeout(1.0);

        assert!(known);
        let told: Vec<_> = events
            .iter()
            .map(|event| (event.kind, event.token))
            .collect();
        assert_eq!(told, [(EventKind::TransportError, 7)]);
        assert_eq!(core.transactions.len(), 0);
        assert!(!core.undelivered(&sent, true));
    }

    #[test]
    fn the_only_server_there_is_may_be_starting() {
        let mut core = core();
        let sent = ask(&mut core, "INVITE", "<sip:b@b>");
        let id = *core.transactions.keys().next().expect("it is there");
        if let Some(Side::Client(client)) = core.transactions.get_mut(&id).map(|t| &mut t.side) {
            client.has_next = false;
        }

        let failed: Vec<_> = (0..4).map(|_| core.undelivered(&sent, true)).collect();

        assert_eq!(failed, [false, false, false, true]);
    }

    #[test]
    fn an_error_that_does_not_quote_our_branch_is_nobodys() {
        let mut core = core();
        let sent = ask(&mut core, "INVITE", "<sip:b@b>");
        let text = String::from_utf8(sent.clone()).expect("it is text");
        let at = text.find("branch=").expect("a branch") + 20;

        let forged = text.replace("branch=z9hG4bK", "branch=z9hG4bKx");
        let quotes = [
            &sent[..8],
            &sent[..at],
            forged.as_bytes(),
            b"",
            b"SIP/2.0 200 OK",
        ];

        assert!(quotes.iter().all(|quoted| !core.undelivered(quoted, true)));
        assert_eq!(core.transactions.len(), 1);
    }

    #[test]
    fn a_network_without_a_way_ends_no_request_within_a_dialog() {
        let mut core = core();
        let inside = ask(&mut core, "BYE", "<sip:b@b>;tag=t");
        let outside = ask(&mut core, "OPTIONS", "<sip:b@b>");

        let soft = [&inside, &outside].map(|sent| core.undelivered(sent, false));
        let hard = core.undelivered(&inside, true);

        assert_eq!((soft, hard), ([false, true], true));
    }

    #[test]
    fn a_request_that_was_heard_of_does_not_fail() {
        let mut core = core();
        let sent = ask(&mut core, "INVITE", "<sip:b@b>");
        let via = String::from_utf8_lossy(&sent);
        let via = via.lines().nth(1).expect("a Via").to_owned();
        let trying = format!(
            "SIP/2.0 100 Trying\r\n{via}\r\nFrom: <sip:a@a>;tag=f\r\nTo: <sip:b@b>\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        let source = Address {
            host: "192.0.2.2".into(),
            port: 5060,
        };
        core.receive_datagram(1, trying.as_bytes(), &source, 1.0, &mut Vec::new());

        assert!(!core.undelivered(&sent, true));
    }
}
