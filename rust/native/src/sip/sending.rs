//! Messages given to a socket of the program's, many in one call of the system where it can.
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;

use nix::sys::socket::{MsgFlags, SockaddrStorage};
use trivox_sip::Output;

/// Messages given to the system at a time.
const BATCH: usize = 64;

/// Send without waiting; returns how many the system refused, which are lost as on any network.
pub(super) fn send_all(descriptor: RawFd, output: &[Output]) -> usize {
    let messages: Vec<_> = output.iter().filter_map(addressed).collect();
    let mut refused = output.len() - messages.len();
    for batch in messages.chunks(BATCH) {
        let mut left = batch;
        while !left.is_empty() {
            // What is refused is the first one: the others go on.
            let sent = send_some(descriptor, left).unwrap_or(0);
            refused += usize::from(sent == 0);
            left = left.get(sent.max(1)..).unwrap_or_default();
        }
    }
    refused
}

fn addressed(output: &Output) -> Option<(SockaddrStorage, &[u8])> {
    let host: IpAddr = output.destination.host.parse().ok()?;
    let to = SocketAddr::new(host, output.destination.port);
    Some((to.into(), &output.data))
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
