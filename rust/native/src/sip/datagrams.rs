//! Datagrams of a socket of the program's, in batches, before anything of Python is made of them.
use std::net::SocketAddr;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::socket::SockaddrStorage;

/// Longest datagram there is.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams taken by one system call.
#[cfg(target_os = "linux")]
const BATCH: usize = 32;

/// Room for one batch, kept from one to the next.
#[derive(Default)]
pub(super) struct Datagrams {
    buffers: Vec<Box<[u8]>>,
}

impl Datagrams {
    /// Take what waits at a socket, at most about `limit`; returns how many there were.
    pub(super) fn drain(
        &mut self,
        descriptor: RawFd,
        limit: usize,
        mut each: impl FnMut(&[u8], SocketAddr),
    ) -> usize {
        let mut taken = 0;
        while taken < limit {
            match self.receive(descriptor, &mut each) {
                Ok((count, is_empty)) => {
                    taken += count;
                    if is_empty {
                        break;
                    }
                }
                // An ICMP error of an earlier send says nothing about what waits here.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        taken
    }

    /// Take one batch; tells how many came, and whether that was all.
    #[cfg(target_os = "linux")]
    fn receive(
        &mut self,
        descriptor: RawFd,
        each: &mut impl FnMut(&[u8], SocketAddr),
    ) -> Result<(usize, bool), Errno> {
        use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};
        use std::io::IoSliceMut;
        self.buffers
            .resize_with(BATCH, || vec![0; DATAGRAM_BYTES].into());
        // New headers for each batch: the system leaves the length of the last address in them.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = recvmmsg(descriptor, &mut headers, slices.iter_mut(), flags, None)?;
        let came: Vec<_> = results.map(|one| (one.bytes, one.address)).collect();
        for ((bytes, address), buffer) in came.iter().zip(&self.buffers) {
            if let Some(source) = address.as_ref().and_then(sender) {
                each(&buffer[..*bytes], source);
            }
        }
        Ok((came.len(), came.len() < BATCH))
    }

    /// Take one datagram, where the system has no batches.
    #[cfg(not(target_os = "linux"))]
    fn receive(
        &mut self,
        descriptor: RawFd,
        each: &mut impl FnMut(&[u8], SocketAddr),
    ) -> Result<(usize, bool), Errno> {
        self.buffers
            .resize_with(1, || vec![0; DATAGRAM_BYTES].into());
        let buffer = &mut self.buffers[0];
        let (bytes, address) = nix::sys::socket::recvfrom::<SockaddrStorage>(descriptor, buffer)?;
        if let Some(source) = address.as_ref().and_then(sender) {
            each(&buffer[..bytes], source);
        }
        Ok((1, false))
    }
}

fn sender(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| (*v4).into());
    v4.map(SocketAddr::V4).or_else(|| {
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddr::V6((*v6).into()))
    })
}
