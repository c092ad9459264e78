//! A virtual network with calls that have data channels.

use std::collections::BTreeMap;
use std::net::IpAddr;

use trivox_media::MediaError;
use trivox_media::codec::CodecKind;
use trivox_media::data::ChannelFacts;
use trivox_media::data::dcep::ChannelSettings;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::event::{Event, EventKind};
use trivox_media::link::LinkSettings;
use trivox_media::session::offer_answer::DescriptionKind;
use trivox_media::session::{Session, SessionSettings, TransportKind};
use trivox_media::transport::sctp::Content;

pub(crate) fn settings(label: &str) -> ChannelSettings {
    ChannelSettings {
        label: label.to_owned(),
        ..ChannelSettings::default()
    }
}

pub(crate) struct World {
    engine: Engine,
    now: f64,
    events: Vec<Event>,
    hosts: u8,
    /// Channels a session has opened itself.
    own: BTreeMap<u64, Vec<u64>>,
}

impl World {
    pub(crate) fn new(loss: f64) -> Self {
        let ports = PortRange { first: 0, last: 0 };
        let engine = Engine::new(&EngineSettings {
            seed: b"data".to_vec(),
            threads: 1,
            is_driven: true,
            now: 0.0,
            ports,
        });
        let world = Self {
            engine: engine.unwrap(),
            now: 0.0,
            events: Vec::new(),
            hosts: 0,
            own: BTreeMap::new(),
        };
        world.lose(loss);
        world
    }

    /// From now on the network loses this share.
    pub(crate) fn lose(&self, loss: f64) {
        self.engine.set_link(LinkSettings {
            loss,
            delay: std::time::Duration::from_millis(10),
            ..LinkSettings::default()
        });
    }

    /// Two sessions that take channels, and have said nothing yet.
    pub(crate) fn pair(&mut self, kind: TransportKind) -> [u64; 2] {
        [(); 2].map(|()| {
            self.hosts += 1;
            let host = IpAddr::from([192, 0, 2, self.hosts]);
            let settings = SessionSettings {
                transport: kind,
                accepts: Vec::new(),
                codecs: vec![CodecKind::Pcmu],
                dtmf: true,
                ptime_ms: 20,
                advertised: None,
            };
            let session = self.engine.open_session(settings, vec![host]).unwrap();
            self.accept(session, true);
            session
        })
    }

    pub(crate) fn accept(&self, session: u64, accepts: bool) {
        self.command(session, |open, _| {
            open.accept_channels(accepts);
            Ok(())
        })
        .unwrap();
    }

    fn command<R>(
        &self,
        session: u64,
        run: impl FnOnce(&mut Session, std::time::Instant) -> Result<R, MediaError>,
    ) -> Result<R, MediaError> {
        self.engine.command(session, run)
    }

    pub(crate) fn exchange(&self, from: u64, to: u64) -> [String; 2] {
        self.describe(from, to, false)
    }

    pub(crate) fn restart(&self, from: u64, to: u64) {
        self.describe(from, to, true);
    }

    fn describe(&self, from: u64, to: u64, is_restart: bool) -> [String; 2] {
        let engine = &self.engine;
        let offer = engine.create_offer(from, is_restart).unwrap();
        let kind = DescriptionKind::Offer;
        engine.set_remote(to, &offer, kind, "").unwrap();
        let answer = engine.create_answer(to).unwrap();
        let kind = DescriptionKind::Answer;
        engine.set_remote(from, &answer, kind, "t").unwrap();
        [offer, answer]
    }

    /// A call whose first side has opened a channel; session and channel of both.
    pub(crate) fn call(&mut self, channel: ChannelSettings) -> [(u64, u64); 2] {
        let [caller, callee] = self.pair(TransportKind::Ice);
        let ours = self.open(caller, channel).unwrap();
        self.exchange(caller, callee);
        self.run(2.0);
        let theirs = self.opened(callee)[0];
        [(caller, ours), (callee, theirs)]
    }

    pub(crate) fn open(
        &mut self,
        session: u64,
        channel: ChannelSettings,
    ) -> Result<u64, MediaError> {
        let number = self.command(session, |open, now| open.open_channel(now, channel))?;
        self.own.entry(session).or_default().push(number);
        Ok(number)
    }

    pub(crate) fn run(&mut self, seconds: f64) {
        let until = self.now + seconds;
        while let Some(next) = self.engine.next_deadline().filter(|next| *next <= until) {
            self.engine.advance(next);
            self.events.extend(self.engine.drain(10_000));
        }
        self.engine.advance(until);
        self.now = until;
        self.events.extend(self.engine.drain(10_000));
    }

    fn told(&self, session: u64, kind: EventKind) -> impl Iterator<Item = &Event> {
        let events = self.events.iter();
        events.filter(move |event| event.session == session && event.kind == kind)
    }

    pub(crate) fn count(&self, session: u64, kind: EventKind) -> usize {
        self.told(session, kind).count()
    }

    /// The channels that the far end has opened.
    pub(crate) fn opened(&self, session: u64) -> Vec<u64> {
        let own = self.own.get(&session).cloned().unwrap_or_default();
        let told = self.told(session, EventKind::ChannelOpened);
        let told = told.map(|event| event.number as u64);
        told.filter(|channel| !own.contains(channel)).collect()
    }

    /// The channels that have closed since this was asked last.
    pub(crate) fn closed(&mut self, session: u64) -> Vec<u64> {
        self.events.extend(self.engine.drain(10_000));
        let (closed, rest): (Vec<Event>, Vec<Event>) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(|event| event.session == session && event.kind == EventKind::ChannelClosed);
        self.events = rest;
        let numbers = closed.iter().map(|event| event.number as u64);
        numbers.collect()
    }

    pub(crate) fn result(
        &self,
        session: u64,
        channel: u64,
        data: &[u8],
    ) -> Result<bool, MediaError> {
        self.command(session, |open, now| {
            open.send_on_channel(now, channel, false, data)
        })
    }

    pub(crate) fn try_send(&self, session: u64, channel: u64, data: &[u8]) -> bool {
        self.result(session, channel, data).unwrap()
    }

    pub(crate) fn send_bytes(&self, session: u64, channel: u64, data: &[u8]) {
        assert!(self.try_send(session, channel, data));
    }

    pub(crate) fn send(&self, session: u64, channel: u64, text: &str) {
        let sent = self.command(session, |open, now| {
            open.send_on_channel(now, channel, true, text.as_bytes())
        });
        assert!(sent.unwrap());
    }

    /// What waits on a channel: whether it is text, and the bytes.
    pub(crate) fn take(&self, session: u64, channel: u64) -> Vec<(bool, Vec<u8>)> {
        let taken = self.command(session, |open, now| {
            Ok(open.take_from_channel(now, channel, 1000))
        });
        let taken = taken.unwrap().into_iter();
        taken
            .map(|message| (message.content == Content::Text, message.data))
            .collect()
    }

    pub(crate) fn close(&self, session: u64, channel: u64) {
        self.command(session, |open, now| {
            open.close_channel(now, channel);
            Ok(())
        })
        .unwrap();
    }

    pub(crate) fn facts(&self, session: u64, channel: u64) -> ChannelFacts {
        self.command(session, |open, _| open.channel_facts(channel))
            .unwrap()
    }
}
