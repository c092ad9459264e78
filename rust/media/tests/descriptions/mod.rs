//! Session descriptions of two ends, held against RFC 3264: an answer against its offer, and each
//! description of one end against the one before.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses a part of it.

use std::collections::HashMap;

use trivox_media::session::Direction;

/// One m-line as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    pub(crate) formats: Vec<String>,
    attributes: Vec<(String, String)>,
}

impl Line {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        let found = all.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What a format stands for; "" where a static number says it.
    fn encoding(&self, format: &str) -> String {
        let maps = self.attributes.iter().filter(|(key, _)| key == "rtpmap");
        let mut named = maps.filter_map(|(_, value)| value.split_once(' '));
        let found = named.find(|(number, _)| *number == format);
        found.map_or_else(String::new, |(_, name)| name.to_ascii_lowercase())
    }
}

/// A description as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    text: String,
    /// User, session, version, and the rest.
    origin: [String; 4],
    attributes: Vec<(String, String)>,
    pub(crate) lines: Vec<Line>,
}

fn attribute(text: &str) -> (String, String) {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

impl Description {
    /// Reads one that is ours: what cannot be read is a fault of ours.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self {
            text: text.to_owned(),
            origin: Default::default(),
            attributes: Vec::new(),
            lines: Vec::new(),
        };
        assert!(
            text.starts_with("v=0\r\no=") && text.ends_with("\r\n"),
            "{text}"
        );
        for line in text.split_terminator("\r\n") {
            let (kind, value) = line.split_once('=').unwrap();
            let mut words = value.split(' ').map(str::to_owned);
            match (kind, read.lines.last_mut()) {
                ("o", _) => {
                    let mut next = || words.next().unwrap();
                    read.origin = [next(), next(), next(), words.collect::<Vec<_>>().join(" ")];
                }
                ("m", _) => read.lines.push(Line {
                    kind: words.next().unwrap(),
                    port: words.next().unwrap().parse().unwrap(),
                    protocol: words.next().unwrap(),
                    formats: words.collect(),
                    attributes: Vec::new(),
                }),
                ("a", Some(media)) => media.attributes.push(attribute(value)),
                ("a", None) => read.attributes.push(attribute(value)),
                _ => {}
            }
        }
        read
    }

    fn session(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        let found = all.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn inherited<'a>(&'a self, line: &'a Line, name: &str) -> Option<&'a str> {
        line.attribute(name).or_else(|| self.session(name))
    }

    pub(crate) fn direction(&self, line: &Line) -> Direction {
        let written = |all: &[(String, String)]| {
            let mut names = all.iter();
            names.find_map(|(name, _)| Direction::from_name(name))
        };
        let own = written(&line.attributes).or_else(|| written(&self.attributes));
        own.unwrap_or(Direction::SendReceive)
    }

    fn bundle(&self) -> Vec<&str> {
        let group = self
            .session("group")
            .and_then(|value| value.strip_prefix("BUNDLE"));
        group.map_or_else(Vec::new, |mids| mids.split_ascii_whitespace().collect())
    }

    /// Holds it by itself: names are used once, and what is refused is in no bundle.
    fn check(&self) {
        let text = &self.text;
        let used = self.lines.iter().filter(|line| line.port != 0);
        let mids: Vec<_> = used
            .clone()
            .filter_map(|line| line.attribute("mid"))
            .collect();
        for (index, mid) in mids.iter().enumerate() {
            assert!(!mids[..index].contains(mid), "mid {mid} twice in {text}");
        }
        for mid in self.bundle() {
            assert!(
                mids.contains(&mid),
                "{mid} is bundled and refused in {text}"
            );
        }
        for line in used {
            assert!(!line.formats.is_empty(), "{text}");
            for (index, format) in line.formats.iter().enumerate() {
                assert!(
                    !line.formats[..index].contains(format),
                    "{format} twice in {text}"
                );
            }
            let directions = line.attributes.iter();
            let directions = directions.filter(|(name, _)| Direction::from_name(name).is_some());
            assert!(directions.count() <= 1, "{text}");
        }
    }
}

/// Holds an answer against its offer (RFC 3264 §6, RFC 5763 §5, RFC 9143 §7.3).
pub(crate) fn check_answer(offer: &str, answer: &str) {
    let both = format!("offer:\n{offer}\nanswer:\n{answer}");
    let (offer, answer) = (Description::read(offer), Description::read(answer));
    answer.check();
    assert_eq!(offer.lines.len(), answer.lines.len(), "{both}");
    let offered = offer.bundle();
    for mid in answer.bundle() {
        assert!(
            offered.contains(&mid),
            "{mid} was not offered bundled\n{both}"
        );
    }
    for (asked, given) in offer.lines.iter().zip(&answer.lines) {
        assert_eq!(
            (&asked.kind, &asked.protocol),
            (&given.kind, &given.protocol),
            "{both}"
        );
        if given.port == 0 {
            continue;
        }
        assert_ne!(
            asked.port, 0,
            "what was offered as refused is taken\n{both}"
        );
        assert_eq!(asked.attribute("mid"), given.attribute("mid"), "{both}");
        let allowed = offer.direction(asked).reversed();
        let direction = answer.direction(given);
        assert_eq!(direction.and(allowed), direction, "{both}");
        for name in ["rtcp-mux", "crypto", "fingerprint", "ice-ufrag"] {
            let is_asked = offer.inherited(asked, name).is_some();
            assert!(
                is_asked || answer.inherited(given, name).is_none(),
                "{name}\n{both}"
            );
        }
        assert_ne!(answer.inherited(given, "setup"), Some("actpass"), "{both}");
        for format in &given.formats {
            assert!(
                asked.formats.contains(format),
                "{format} was not offered\n{both}"
            );
            let (ours, theirs) = (given.encoding(format), asked.encoding(format));
            assert!(
                ours == theirs || theirs.is_empty(),
                "{format} is another\n{both}"
            );
        }
    }
}

/// All that one end has written in a session.
#[derive(Debug, Default)]
pub(crate) struct Author {
    last: Option<Description>,
    /// What a number stands for, for each place and name of a line (RFC 3264 §8.3.2).
    numbers: HashMap<(usize, String, String), String>,
}

impl Author {
    /// Holds the next description against those before (RFC 3264 §8); `is_answer` takes the
    /// numbers of the offer.
    pub(crate) fn check(&mut self, text: &str) {
        let next = Description::read(text);
        next.check();
        if let Some(last) = &self.last {
            self.check_after(last, &next);
        }
        for (place, line) in next
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.port != 0)
        {
            let mid = line.attribute("mid").unwrap_or("").to_owned();
            for format in &line.formats {
                let encoding = line.encoding(format);
                let key = (place, mid.clone(), format.clone());
                let known = self.numbers.entry(key).or_insert_with(|| encoding.clone());
                assert_eq!(*known, encoding, "{format} has changed in {text}");
            }
        }
        self.last = Some(next);
    }

    fn check_after(&self, last: &Description, next: &Description) {
        let both = format!("before:\n{}\nnow:\n{}", last.text, next.text);
        let [user, session, version, place] = &next.origin;
        assert_eq!(
            [user, session, place],
            [&last.origin[0], &last.origin[1], &last.origin[3]]
        );
        let versions = [&last.origin[2], version].map(|one| one.parse::<u64>().unwrap());
        let step = u64::from(last.text != next.text);
        assert_eq!(versions[1], versions[0] + step, "{both}");
        assert!(next.lines.len() >= last.lines.len(), "{both}");
        for (before, now) in last.lines.iter().zip(&next.lines) {
            // A place that was refused may be taken by another (RFC 3264 §8.2).
            assert!(before.kind == now.kind || before.port == 0, "{both}");
        }
    }
}
