//! Messages given to a socket of the program's, many in one call of the system where it can.
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage};
use trivox_sip::Output;

/// Messages given to the system at a time.
const BATCH: usize = 64;

/// What became of messages that were not taken.
#[derive(Default)]
pub(super) struct Sent {
    /// How many the system refused: lost, as on any network.
    pub(super) refused: usize,
    /// Which of them have no way at all, or are too long for any.
    pub(super) without_a_way: Vec<usize>,
    /// Which of them a rule of this machine forbids, or the state of its firewall: perhaps for now.
    pub(super) forbidden: Vec<usize>,
}

/// Send without waiting.
pub(super) fn send_all(descriptor: RawFd, output: &[Output]) -> Sent {
    let addressed: Vec<_> = output.iter().enumerate().filter_map(addressed).collect();
    let mut sent = Sent {
        refused: output.len() - addressed.len(),
        ..Sent::default()
    };
    let (indices, messages): (Vec<usize>, Vec<_>) = addressed.into_iter().unzip();
    let mut done = 0;
    while done < messages.len() {
        let batch = &messages[done..messages.len().min(done + BATCH)];
        // The first error may be that of an earlier message, which the network sent back.
        let taken = send_some(descriptor, batch).or_else(|_| send_some(descriptor, batch));
        // What is refused is the first one: the others go on.
        if let Err(error) = taken {
            sent.refused += 1;
            if is_for_good(error) {
                sent.without_a_way.push(indices[done]);
            } else if error == Errno::EPERM {
                sent.forbidden.push(indices[done]);
            }
        }
        done += taken.unwrap_or(1).max(1);
    }
    sent
}

/// EACCES is a broadcast address, or a route that prohibits.
fn is_for_good(error: Errno) -> bool {
    use Errno::{EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, EHOSTUNREACH, EINVAL, EMSGSIZE, ENETUNREACH};
    matches!(
        error,
        EACCES | EADDRNOTAVAIL | EAFNOSUPPORT | EHOSTUNREACH | EINVAL | EMSGSIZE | ENETUNREACH
    )
}

fn addressed((index, output): (usize, &Output)) -> Option<(usize, (SockaddrStorage, &[u8]))> {
    let host: IpAddr = output.destination.host.parse().ok()?;
    let to = SocketAddr::new(host, output.destination.port);
    Some((index, (to.into(), &output.data)))
}

#[cfg(target_os = "linux")]
fn send_some(descriptor: RawFd, batch: &[(SockaddrStorage, &[u8])]) -> nix::Result<usize> {
    use nix::sys::socket::{MultiHeaders, sendmmsg};
    use std::io::IoSlice;
    if let [only] = batch {
        return send_one(descriptor, only);
    }
    let slices: Vec<_> = batch.iter().map(|(_, data)| [IoSlice::new(data)]).collect();
    let addresses: Vec<_> = batch.iter().map(|(to, _)| Some(*to)).collect();
    let mut headers = MultiHeaders::preallocate(batch.len(), None);
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(sendmmsg(descriptor, &mut headers, &slices, addresses, [], flags)?.count())
}

#[cfg(not(target_os = "linux"))]
fn send_some(descriptor: RawFd, batch: &[(SockaddrStorage, &[u8])]) -> nix::Result<usize> {
    batch
        .first()
        .map_or(Ok(0), |first| send_one(descriptor, first))
}

fn send_one(descriptor: RawFd, (to, data): &(SockaddrStorage, &[u8])) -> nix::Result<usize> {
    nix::sys::socket::sendto(descriptor, data, to, MsgFlags::MSG_DONTWAIT).map(|_| 1)
}
