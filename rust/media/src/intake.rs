//! Datagrams received from a socket, many in one call of the system where it can.

use std::net::SocketAddr;

use crate::socket::{DATAGRAM_BYTES, Socket};

/// Datagrams taken at a time from a socket that many calls share.
pub(crate) const MANY: usize = 64;
/// And from the socket of one call: mostly one waits, and a call that returns fewer than it has
/// room for says that no more do.
pub(crate) const FEW: usize = 4;

/// Room for one batch of datagrams.
pub(crate) struct Intake {
    buffers: Vec<[u8; DATAGRAM_BYTES]>,
    #[cfg(target_os = "linux")]
    headers: linux::Headers,
}

impl Intake {
    /// Makes room for `MANY`.
    pub(crate) fn new() -> Self {
        Self {
            buffers: vec![[0; DATAGRAM_BYTES]; MANY],
            #[cfg(target_os = "linux")]
            headers: linux::Headers::new(),
        }
    }

    /// Receives up to `most` datagrams and gives them to `each`; fewer mean that no more wait.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn receive(
        &mut self,
        socket: &Socket,
        most: usize,
        mut each: impl FnMut(SocketAddr, &[u8]),
    ) -> usize {
        let Some(buffer) = self.buffers.first_mut() else {
            return 0;
        };
        for count in 0..most {
            let Some((length, from)) = socket.receive(buffer) else {
                return count;
            };
            each(from, &buffer[..length]);
        }
        most
    }

    /// Receives up to `most` datagrams and gives them to `each`; fewer mean that no more wait.
    #[cfg(target_os = "linux")]
    pub(crate) fn receive(
        &mut self,
        socket: &Socket,
        most: usize,
        mut each: impl FnMut(SocketAddr, &[u8]),
    ) -> usize {
        let most = most.min(MANY);
        let mut received = [None; MANY];
        let count = self
            .headers
            .receive(socket, &mut self.buffers[..most], &mut received);
        for (known, buffer) in received[..count].iter().zip(&self.buffers) {
            if let Some((from, length)) = known {
                each(*from, buffer.get(..*length).unwrap_or(buffer));
            }
        }
        count
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::IoSliceMut;
    use std::net::SocketAddr;

    use nix::errno::Errno;
    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

    use super::{DATAGRAM_BYTES, MANY, Socket};

    /// What the system writes senders and lengths into.
    ///
    /// It leaves the length of the last address in each header and takes it for the room there is
    /// the next time: so the families, whose addresses differ in length, have headers of their own.
    pub(super) struct Headers {
        v4: MultiHeaders<SockaddrStorage>,
        v6: MultiHeaders<SockaddrStorage>,
    }

    impl Headers {
        pub(super) fn new() -> Self {
            Self {
                v4: MultiHeaders::preallocate(MANY, None),
                v6: MultiHeaders::preallocate(MANY, None),
            }
        }

        /// Fills `buffers`, and says who sent how much; returns how many were filled.
        pub(super) fn receive(
            &mut self,
            socket: &Socket,
            buffers: &mut [[u8; DATAGRAM_BYTES]],
            received: &mut [Option<(SocketAddr, usize)>; MANY],
        ) -> usize {
            loop {
                match self.try_receive(socket, buffers, received) {
                    Ok(count) => return count,
                    // An ICMP error of an earlier send says nothing about what waits here.
                    Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                    Err(_) => return 0,
                }
            }
        }

        fn try_receive(
            &mut self,
            socket: &Socket,
            buffers: &mut [[u8; DATAGRAM_BYTES]],
            received: &mut [Option<(SocketAddr, usize)>; MANY],
        ) -> nix::Result<usize> {
            let headers = if socket.local().is_ipv4() {
                &mut self.v4
            } else {
                &mut self.v6
            };
            let mut slices: Vec<_> = buffers
                .iter_mut()
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let (descriptor, flags) = (socket.descriptor(), MsgFlags::MSG_DONTWAIT);
            let results = recvmmsg(descriptor, headers, slices.iter_mut(), flags, None)?;
            let mut count = 0;
            for (place, result) in received.iter_mut().zip(results) {
                *place = result
                    .address
                    .and_then(sender)
                    .map(|from| (from, result.bytes));
                count += 1;
            }
            Ok(count)
        }
    }

    fn sender(address: SockaddrStorage) -> Option<SocketAddr> {
        let v4 = address
            .as_sockaddr_in()
            .map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| {
            address
                .as_sockaddr_in6()
                .map(|v6| SocketAddr::V6((*v6).into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{PortRange, bind_own};
    use crate::transport::Transmit;

    fn bind(host: &str) -> Option<Socket> {
        bind_own(host.parse().unwrap(), PortRange { first: 0, last: 0 }, 0).ok()
    }

    fn send(from: &Socket, to: &Socket, count: u8) {
        let (local, to) = (from.local(), to.local());
        let data = |n: u8| vec![n; 100 + usize::from(n)];
        let all = (0..count).map(|n| Transmit {
            local,
            to,
            data: data(n),
        });
        from.send_all(&all.collect::<Vec<_>>());
    }

    #[test]
    fn batches_of_both_families_arrive_whole_with_their_senders() {
        let mut intake = Intake::new();
        for host in ["127.0.0.1", "::1", "127.0.0.1", "::1"] {
            // A machine without IPv6 has nothing to tell there.
            let (Some(sender), Some(receiver)) = (bind(host), bind(host)) else {
                continue;
            };
            send(&sender, &receiver, 70);
            let mut got = Vec::new();
            let take = |from, data: &[u8], got: &mut Vec<u8>| {
                assert_eq!(from, sender.local());
                assert_eq!(data.len(), 100 + usize::from(data[0]));
                got.push(data[0]);
            };

            let full = intake.receive(&receiver, MANY, |from, data| take(from, data, &mut got));
            let rest = intake.receive(&receiver, MANY, |from, data| take(from, data, &mut got));
            let none = intake.receive(&receiver, FEW, |from, data| take(from, data, &mut got));

            assert_eq!((full, rest, none), (MANY, 6, 0));
            assert_eq!(got, (0..70).collect::<Vec<u8>>());
        }
    }
}
