//! UDP sockets of sessions: bound to one address, in a range of ports, read and written in batches.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::error::MediaError;
use crate::transport::Transmit;

/// Asked for on a port shared by all browser calls of a shard; the system may give less.
const SHARED_BUFFER_BYTES: usize = 8 << 20;
/// Asked for on the port of one call: seconds of audio, should the shard be held up.
const OWN_BUFFER_BYTES: usize = 256 << 10;
/// Longest datagram taken: more than any path's MTU.
pub(crate) const DATAGRAM_BYTES: usize = 2048;
/// Ports tried when the system chooses and RTP must be even.
const ATTEMPTS: usize = 64;
/// Datagrams given to the system at a time.
const BATCH: usize = 64;

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: UdpSocket,
    local: SocketAddr,
}

impl Socket {
    /// Binds one port; 0 lets the system choose.
    fn bind(address: SocketAddr, buffer_bytes: usize) -> std::io::Result<Self> {
        let bound = Self::bind_small(address)?;
        bound.widen(buffer_bytes);
        Ok(bound)
    }

    /// Asks for room. More is better but none is needed: the system's limit is no error.
    fn widen(&self, buffer_bytes: usize) {
        let _ = set_socket_recv_buffer_size(&self.inner, buffer_bytes);
    }

    /// As `bind`, with the system's own buffer: RTCP brings a packet every few seconds.
    fn bind_small(address: SocketAddr) -> std::io::Result<Self> {
        let inner = UdpSocket::bind(address)?;
        let local = match address.port() {
            0 => inner.local_addr()?,
            _ => address,
        };
        Ok(Self { inner, local })
    }

    /// Where it is bound.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Receives one datagram; None when there is none.
    #[cfg(any(test, not(target_os = "linux")))]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.inner.recv_from(buffer) {
                Ok(received) => return Some(received),
                // An ICMP error of an earlier send says nothing about what waits here.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Sends one datagram. What the system refuses is lost, as on any network.
    pub(crate) fn send(&self, to: SocketAddr, data: &[u8]) {
        let _ = self.inner.send_to(data, to);
    }

    /// Sends many datagrams, in batches where the system can.
    pub(crate) fn send_all(&self, transmits: &[Transmit]) {
        for batch in transmits.chunks(BATCH) {
            let mut left = batch;
            while !left.is_empty() {
                // What is refused is the first one: it is lost, and the others go on.
                let sent = self.send_batch(left).unwrap_or(1).max(1);
                left = left.get(sent..).unwrap_or_default();
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn send_batch(&self, batch: &[Transmit]) -> std::io::Result<usize> {
        use rustix::net::addr::SocketAddrArg;
        use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
        use std::io::IoSlice;
        if let [only] = batch {
            return self.inner.send_to(&only.data, only.to).map(|_| 1);
        }
        let addresses: Vec<_> = batch.iter().map(|one| one.to.as_any()).collect();
        let slices: Vec<_> = batch.iter().map(|one| [IoSlice::new(&one.data)]).collect();
        let mut controls: Vec<_> = batch
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut messages: Vec<_> = addresses
            .iter()
            .zip(&slices)
            .zip(&mut controls)
            .map(|((address, slice), control)| MMsgHdr::new_with_addr(address, slice, control))
            .collect();
        Ok(sendmmsg(&self.inner, &mut messages, SendFlags::empty())?)
    }

    #[cfg(not(target_os = "linux"))]
    fn send_batch(&self, batch: &[Transmit]) -> std::io::Result<usize> {
        let Some(first) = batch.first() else {
            return Ok(0);
        };
        self.inner.send_to(&first.data, first.to).map(|_| 1)
    }

    /// For the poll's registration.
    pub(crate) fn descriptor(&self) -> i32 {
        use std::os::fd::AsRawFd;
        self.inner.as_raw_fd()
    }
}

/// Where sockets may be bound; (0, 0) lets the system choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

impl PortRange {
    /// Says no to a range that could never serve a call.
    ///
    /// # Errors
    /// `MediaError::Argument` unless it is (0, 0) or holds an even port and the next one.
    pub(crate) fn check(self) -> Result<(), MediaError> {
        let is_any = self.first == 0 && self.last == 0;
        if is_any || (self.first > 0 && self.pairs() > 0) {
            return Ok(());
        }
        Err(MediaError::Argument(format!(
            "the ports {} to {} hold no even port with its next one: give a range such as 20000 \
             to 29999, or 0 to 0 for any",
            self.first, self.last
        )))
    }

    /// How many pairs of an even port and the next one it holds.
    fn pairs(self) -> usize {
        let first = usize::from(self.first).next_multiple_of(2);
        (usize::from(self.last) + 1).saturating_sub(first) / 2
    }

    /// Candidates for an even RTP port, starting at a place that differs from call to call.
    fn even_ports(self, start: usize) -> Box<dyn Iterator<Item = u16>> {
        if self.last == 0 {
            return Box::new(std::iter::repeat_n(0, ATTEMPTS));
        }
        let (first, count) = (usize::from(self.first).next_multiple_of(2), self.pairs());
        Box::new((0..count).map(move |index| (first + 2 * ((start + index) % count)) as u16))
    }
}

/// Binds a socket for many calls.
///
/// # Errors
/// `MediaError::System` when no port of the range is free.
pub(crate) fn bind_shared(
    address: IpAddr,
    range: PortRange,
    start: usize,
) -> Result<Socket, MediaError> {
    bind_first(address, range, start, |port| {
        Socket::bind(SocketAddr::new(address, port), SHARED_BUFFER_BYTES)
    })
}

/// Binds a socket for one call.
///
/// # Errors
/// `MediaError::System` when no port of the range is free.
pub(crate) fn bind_own(
    address: IpAddr,
    range: PortRange,
    start: usize,
) -> Result<Socket, MediaError> {
    bind_first(address, range, start, |port| {
        Socket::bind(SocketAddr::new(address, port), OWN_BUFFER_BYTES)
    })
}

/// Binds an even port for RTP and the next one for RTCP (RFC 3550 §11).
///
/// # Errors
/// `MediaError::System` when no pair of the range is free.
pub(crate) fn bind_pair(
    address: IpAddr,
    range: PortRange,
    start: usize,
) -> Result<(Socket, Socket), MediaError> {
    bind_first(address, range, start, |port| {
        let first = Socket::bind_small(SocketAddr::new(address, port))?;
        // The system may choose an odd port: that is RTCP's, and the one before it RTP's.
        let other = SocketAddr::new(address, first.local().port() ^ 1);
        let second = Socket::bind_small(other)?;
        let (rtp, rtcp) = if other.port().is_multiple_of(2) {
            (second, first)
        } else {
            (first, second)
        };
        rtp.widen(OWN_BUFFER_BYTES);
        Ok((rtp, rtcp))
    })
}

fn bind_first<T>(
    address: IpAddr,
    range: PortRange,
    start: usize,
    bind: impl Fn(u16) -> std::io::Result<T>,
) -> Result<T, MediaError> {
    let mut last = std::io::Error::from(ErrorKind::AddrInUse);
    for port in range.even_ports(start) {
        match bind(port) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == ErrorKind::AddrInUse => last = error,
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    let PortRange { first, last: end } = range;
    let what = format!("cannot bind a media port on {address} (range {first}-{end})");
    Err(MediaError::system(what, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ANY: PortRange = PortRange { first: 0, last: 0 };

    #[test]
    fn rtp_is_even_and_rtcp_follows() {
        let (rtp, rtcp) = bind_pair(LOOPBACK, ANY, 0).unwrap();
        assert_eq!(rtp.local().port() % 2, 0);
        assert_eq!(rtcp.local().port(), rtp.local().port() + 1);
    }

    #[test]
    fn a_batch_arrives_whole_and_in_order_past_one_that_is_refused() {
        let receiver = bind_own(LOOPBACK, ANY, 0).unwrap();
        let sender = bind_own(LOOPBACK, ANY, 0).unwrap();
        let (local, to) = (sender.local(), receiver.local());
        let mut batch: Vec<_> = (0..150)
            .map(|n| Transmit {
                local,
                to,
                data: vec![n; 100],
            })
            .collect();
        // No system sends to port 0.
        batch[70].to.set_port(0);

        sender.send_all(&batch);

        let mut buffer = [0; DATAGRAM_BYTES];
        let mut got = Vec::new();
        while receiver.receive(&mut buffer).is_some() {
            got.push(buffer[0]);
        }
        assert_eq!(got, (0..150).filter(|n| *n != 70).collect::<Vec<u8>>());
    }

    #[test]
    fn a_full_range_is_an_error_that_names_it() {
        let (taken, _rtcp) = bind_pair(LOOPBACK, ANY, 0).unwrap();
        let port = taken.local().port();
        let error = bind_pair(
            LOOPBACK,
            PortRange {
                first: port,
                last: port + 1,
            },
            0,
        )
        .unwrap_err();
        assert!(error.to_string().contains(&port.to_string()), "{error}");
    }

    #[test]
    fn ports_of_a_range_are_even_and_inside() {
        let ports: Vec<_> = PortRange {
            first: 10_001,
            last: 10_007,
        }
        .even_ports(1)
        .collect();
        assert_eq!(ports, [10_004, 10_006, 10_002]);
    }
}
