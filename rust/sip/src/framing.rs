//! Messages out of a byte stream, split anywhere (RFC 3261 §18.3, RFC 5626 §3.5.1).
use crate::message::lexer::{decimal, trim};
use crate::message::{HeaderName, MAX_MESSAGE};

/// Longest head waited for before a stream is given up.
const MAX_HEAD: usize = 32_768;

/// What a stream yields.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// One whole message.
    Message(Vec<u8>),
    /// A double CRLF, to be answered with a single one.
    Ping,
    /// Where the next message begins is not known: close the connection.
    Broken(&'static str),
}

/// The unread part of one stream.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Up to here no end of the head was found, so that slow streams cost linear time.
    scanned: usize,
    /// End of the head and of the message, once known.
    extent: Option<usize>,
    line_breaks: usize,
    is_broken: bool,
}

impl Framer {
    /// Take bytes and yield what they complete. After `Broken` nothing more comes.
    pub fn push(&mut self, data: &[u8]) -> Vec<Framed> {
        let mut out = Vec::new();
        if self.is_broken {
            return out;
        }
        self.buffer.extend_from_slice(data);
        let mut start = 0;
        loop {
            match self.step(start, &mut out) {
                Ok(Some(next)) => start = next,
                Ok(None) => break,
                Err(reason) => {
                    self.is_broken = true;
                    self.buffer = Vec::new();
                    out.push(Framed::Broken(reason));
                    return out;
                }
            }
        }
        self.buffer.drain(..start);
        out
    }

    /// One message or one CRLF from `start`; `None` when more bytes are needed.
    fn step(&mut self, start: usize, out: &mut Vec<Framed>) -> Result<Option<usize>, &'static str> {
        let rest = &self.buffer[start..];
        if self.extent.is_none() && rest.starts_with(b"\r\n") {
            self.line_breaks += 1;
            if self.line_breaks == 2 {
                self.line_breaks = 0;
                out.push(Framed::Ping);
            }
            return Ok(Some(start + 2));
        }
        if rest.is_empty() || rest == b"\r" {
            return Ok(None);
        }
        self.line_breaks = 0;
        let extent = match self.extent {
            Some(extent) => extent,
            None => {
                let from = self.scanned.saturating_sub(3).min(rest.len());
                let found = rest[from..].windows(4).position(|four| four == b"\r\n\r\n");
                let Some(at) = found else {
                    self.scanned = rest.len();
                    let is_long = rest.len() > MAX_HEAD;
                    return if is_long {
                        Err("Head too long")
                    } else {
                        Ok(None)
                    };
                };
                let head = from + at + 4;
                let extent = head + content_length(&rest[..head])?;
                if head > MAX_HEAD || extent > MAX_MESSAGE {
                    return Err("Message too large");
                }
                self.extent = Some(extent);
                extent
            }
        };
        if rest.len() < extent {
            return Ok(None);
        }
        out.push(Framed::Message(rest[..extent].to_vec()));
        self.extent = None;
        self.scanned = 0;
        Ok(Some(start + extent))
    }

    /// Bytes held back for a message that is not complete.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

/// The one Content-Length of a head; mandatory on a stream (RFC 3261 §20.14).
fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut length = None;
    let mut lines = head.split(|&byte| byte == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        if matches!(line[0], b' ' | b'\t') {
            continue;
        }
        if HeaderName::classify(trim(&line[..colon])) == HeaderName::ContentLength {
            let mut text = line[colon + 1..].to_vec();
            // A line that begins with a blank belongs to the one before it (RFC 3261 §7.3.1).
            while let Some(more) = lines.next_if(|more| matches!(more.first(), Some(b' ' | b'\t')))
            {
                text.extend_from_slice(more);
            }
            let value = decimal(trim(&text)).filter(|&v| v <= MAX_MESSAGE as u64);
            let value = value.ok_or("Bad Content-Length")?;
            if length.replace(value as usize).is_some() {
                return Err("Content-Length given twice");
            }
        }
    }
    length.ok_or("No Content-Length")
}

#[cfg(test)]
mod tests {
    use super::{Framed, Framer};

    const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";

    #[test]
    fn a_folded_length_is_read_as_the_parser_reads_it() {
        let head = |length: &str| format!("OPTIONS sip:a SIP/2.0\r\nl:{length}\r\n\r\nabc");
        for fine in ["\r\n 3", " 3\r\n ", "\r\n\t\r\n 3 "] {
            let message = head(fine);
            let whole = vec![Framed::Message(message.clone().into_bytes())];
            assert_eq!(
                Framer::default().push(message.as_bytes()),
                whole,
                "{fine:?}"
            );
        }
        for bad in ["3\r\n 3", "\r\n ", "\r\n 3\r\n 0"] {
            let broken = vec![Framed::Broken("Bad Content-Length")];
            assert_eq!(
                Framer::default().push(head(bad).as_bytes()),
                broken,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn any_split_gives_the_same_messages() {
        let stream = [b"\r\n\r\n", MESSAGE, b"\r\n", MESSAGE].concat();
        let whole = Framer::default().push(&stream);
        assert_eq!(whole.len(), 3);
        for cut in 0..=stream.len() {
            let mut framer = Framer::default();
            let mut parts = framer.push(&stream[..cut]);
            parts.extend(framer.push(&stream[cut..]));
            assert_eq!(parts, whole, "cut at {cut}");
            assert_eq!(framer.pending(), 0);
        }
    }

    #[test]
    fn a_message_without_content_length_breaks_the_stream() {
        let mut framer = Framer::default();
        let out = framer.push(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n");
        assert_eq!(out, [Framed::Broken("No Content-Length")]);
        assert!(framer.push(MESSAGE).is_empty());
    }

    #[test]
    fn two_content_lengths_break_the_stream() {
        let out =
            Framer::default().push(b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(out, [Framed::Broken("Content-Length given twice")]);
    }

    #[test]
    fn an_endless_head_breaks_the_stream() {
        let mut framer = Framer::default();
        let out: Vec<_> = (0..40).flat_map(|_| framer.push(&[b'a'; 1000])).collect();
        assert_eq!(out, [Framed::Broken("Head too long")]);
        assert_eq!(framer.pending(), 0);
    }
}
