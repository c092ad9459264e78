//! Header names: one canonical table with the compact forms (RFC 3261 §7.3.3, §20).

macro_rules! header_names {
    ($($variant:ident $name:literal $compact:literal,)*) => {
        /// A header name the stack knows, or `Other`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum HeaderName { $($variant,)* Other }

        const TABLE: &[(HeaderName, &str, &str)] =
            &[$((HeaderName::$variant, $name, $compact),)*];
    };
}

header_names! {
    Via "Via" "v",
    From "From" "f",
    To "To" "t",
    CallId "Call-ID" "i",
    CSeq "CSeq" "",
    MaxForwards "Max-Forwards" "",
    Contact "Contact" "m",
    ContentLength "Content-Length" "l",
    ContentType "Content-Type" "c",
    Route "Route" "",
    RecordRoute "Record-Route" "",
    Allow "Allow" "",
    Supported "Supported" "k",
    UserAgent "User-Agent" "",
    Expires "Expires" "",
    Authorization "Authorization" "",
    ProxyAuthorization "Proxy-Authorization" "",
    WwwAuthenticate "WWW-Authenticate" "",
    ProxyAuthenticate "Proxy-Authenticate" "",
    Require "Require" "",
    ProxyRequire "Proxy-Require" "",
    Event "Event" "o",
    AllowEvents "Allow-Events" "u",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    Subject "Subject" "s",
    ContentEncoding "Content-Encoding" "e",
    AcceptContact "Accept-Contact" "a",
    RejectContact "Reject-Contact" "j",
    RequestDisposition "Request-Disposition" "d",
    SessionExpires "Session-Expires" "x",
    Identity "Identity" "y",
    IdentityInfo "Identity-Info" "n",
    RSeq "RSeq" "",
    Date "Date" "",
    MinExpires "Min-Expires" "",
}

const LONGEST: usize = 19;

/// Which rows have a name of each length, a bit for each: few are compared with what was received.
const BY_LENGTH: [u64; LONGEST + 1] = {
    let mut rows = [0; LONGEST + 1];
    let mut row = 0;
    while row < TABLE.len() {
        rows[TABLE[row].1.len()] |= 1 << row;
        rows[TABLE[row].2.len()] |= 1 << row;
        row += 1;
    }
    rows
};

impl HeaderName {
    /// Classify a name as received: any case, long or compact.
    pub fn classify(name: &[u8]) -> Self {
        let mut rows = BY_LENGTH.get(name.len()).copied().unwrap_or(0);
        while rows != 0 {
            let (kind, long, compact) = TABLE[rows.trailing_zeros() as usize];
            let form = if name.len() == 1 { compact } else { long };
            // As it is spelt by nearly all, which is compared many bytes at a time.
            if name == form.as_bytes() || name.eq_ignore_ascii_case(form.as_bytes()) {
                return kind;
            }
            rows &= rows - 1;
        }
        Self::Other
    }

    /// The canonical spelling; empty for `Other`.
    pub fn canonical(self) -> &'static str {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.1)
    }

    /// The one letter it may be written as; empty where there is none.
    pub(crate) fn compact(self) -> &'static str {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.2)
    }

    /// Whether more than one of it makes a request ambiguous (RFC 3261 §7.3.1).
    pub(crate) fn is_singleton(self) -> bool {
        use HeaderName::*;
        matches!(
            self,
            From | To
                | CallId
                | CSeq
                | MaxForwards
                | ContentLength
                | ContentType
                | Expires
                | MinExpires
                | Event
                | SessionExpires
                | Date
                | ReferTo
                | RSeq
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderName, TABLE};

    #[test]
    fn long_and_compact_forms_name_the_same_header() {
        for (name, long, compact) in TABLE {
            assert_eq!(HeaderName::classify(long.to_uppercase().as_bytes()), *name);
            if !compact.is_empty() {
                assert_eq!(HeaderName::classify(compact.as_bytes()), *name);
            }
        }
    }

    #[test]
    fn an_empty_name_is_no_header() {
        assert_eq!(HeaderName::classify(b""), HeaderName::Other);
        assert_eq!(HeaderName::classify(b"Vi"), HeaderName::Other);
    }
}
