//! `MediaEngine`: one call into `trivox_media::engine` a method.
use std::net::IpAddr;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use trivox_media::MediaError;
use trivox_media::engine::{Engine, EngineSettings, PortRange};
use trivox_media::link::LinkSettings;
use trivox_media::session::SessionSettings;

use super::arguments::{
    address, codec, description_kind, direction_of, place_of, seconds, transport_kind,
};
use super::errors::raise;
use super::figures::Figures;

type EngineEvent = (u64, u8, f64, String);

/// Media sessions on shards with threads of their own, or driven in virtual time.
#[pyclass(frozen, module = "trivox._native")]
pub(crate) struct MediaEngine {
    pub(super) engine: Engine,
}

#[pymethods]
impl MediaEngine {
    #[new]
    #[pyo3(signature = (*, seed, threads = 1, driven = false, now = 0.0, port_range = (0, 0)),
        text_signature = "(*, seed, threads=1, driven=False, now=0.0, port_range=(0, 0))")]
    fn new(
        py: Python<'_>,
        seed: Vec<u8>,
        threads: usize,
        driven: bool,
        now: f64,
        port_range: (u16, u16),
    ) -> PyResult<Self> {
        let (first, last) = port_range;
        let ports = PortRange { first, last };
        let settings = EngineSettings {
            seed,
            threads,
            is_driven: driven,
            now,
            ports,
        };
        let engine = py.detach(|| Engine::new(&settings)).map_err(raise)?;
        Ok(Self { engine })
    }

    #[getter]
    fn event_fd(&self) -> i32 {
        self.engine.event_descriptor()
    }

    fn drain(&self, py: Python<'_>, limit: usize) -> Vec<EngineEvent> {
        let events = py.detach(|| self.engine.drain(limit));
        let plain = events
            .into_iter()
            .map(|e| (e.session, e.kind as u8, e.number, e.text));
        plain.collect()
    }

    #[pyo3(signature = (*, transport, local_addresses, advertised, codecs, dtmf, ptime_ms,
        accepts = Vec::new()), text_signature = "(self, *, transport, local_addresses, \
        advertised, codecs, dtmf, ptime_ms, accepts=())")]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn open_session(
        &self,
        py: Python<'_>,
        transport: &str,
        local_addresses: Vec<String>,
        advertised: &str,
        codecs: Vec<String>,
        dtmf: bool,
        ptime_ms: u16,
        accepts: Vec<String>,
    ) -> PyResult<u64> {
        let transport = transport_kind(transport).map_err(raise)?;
        let accepts: Result<_, _> = accepts.iter().map(|n| transport_kind(n)).collect();
        let codecs = codecs
            .iter()
            .map(|n| codec(n))
            .collect::<Result<_, _>>()
            .map_err(raise)?;
        let hosts: Result<_, _> = local_addresses.iter().map(|text| address(text)).collect();
        let hosts: Vec<IpAddr> = hosts.map_err(raise)?;
        let advertised = (!advertised.is_empty()).then(|| address(advertised));
        let advertised = advertised.transpose().map_err(raise)?;
        let settings = SessionSettings {
            transport,
            accepts: accepts.map_err(raise)?,
            codecs,
            dtmf,
            ptime_ms,
            advertised,
        };
        py.detach(|| self.engine.open_session(settings, hosts))
            .map_err(raise)
    }

    #[pyo3(signature = (session, *, ice_restart = false))]
    fn create_offer(&self, py: Python<'_>, session: u64, ice_restart: bool) -> PyResult<String> {
        py.detach(|| self.engine.create_offer(session, ice_restart))
            .map_err(raise)
    }

    fn set_remote(
        &self,
        py: Python<'_>,
        session: u64,
        sdp: &str,
        kind: &str,
        dialog: &str,
    ) -> PyResult<()> {
        let kind = description_kind(kind).map_err(raise)?;
        py.detach(|| self.engine.set_remote(session, sdp, kind, dialog))
            .map_err(raise)
    }

    fn create_answer(&self, py: Python<'_>, session: u64) -> PyResult<String> {
        py.detach(|| self.engine.create_answer(session))
            .map_err(raise)
    }

    fn close_session(&self, py: Python<'_>, session: u64) {
        py.detach(|| self.engine.close_session(session));
    }

    fn set_muted(&self, py: Python<'_>, session: u64, muted: bool) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.set_muted(muted);
            Ok(())
        })
    }

    fn set_impairment(&self, py: Python<'_>, session: u64, drop: f64) -> PyResult<()> {
        self.run(py, session, move |open| open.set_impairment(drop))
    }

    #[pyo3(signature = (session, *, own, holding))]
    fn set_mix(&self, py: Python<'_>, session: u64, own: bool, holding: bool) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.set_mix(!own, holding);
            Ok(())
        })
    }

    fn set_direction(&self, py: Python<'_>, session: u64, direction: &str) -> PyResult<()> {
        let wish = direction_of(direction).map_err(raise)?;
        self.run(py, session, move |open| {
            open.set_direction(wish);
            Ok(())
        })
    }

    fn rollback(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        self.run(py, session, |open| {
            open.rollback();
            Ok(())
        })
    }

    #[pyo3(signature = (session, path, r#loop, start, *, place = "queue"))]
    fn play_file(
        &self,
        py: Python<'_>,
        session: u64,
        path: PathBuf,
        r#loop: bool,
        start: f64,
        place: &str,
    ) -> PyResult<u64> {
        let place = place_of(place).map_err(raise)?;
        py.detach(|| self.engine.play_file(session, place, &path, r#loop, start))
            .map_err(raise)
    }

    #[pyo3(signature = (session, frequencies_hz, cadence, duration, level_dbov, *, place = "queue"))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn play_tone(
        &self,
        py: Python<'_>,
        session: u64,
        frequencies_hz: Vec<f64>,
        cadence: Vec<(f64, f64)>,
        duration: f64,
        level_dbov: f64,
        place: &str,
    ) -> PyResult<u64> {
        let place = place_of(place).map_err(raise)?;
        self.run(py, session, move |open| {
            open.play_tone(place, &frequencies_hz, &cadence, duration, level_dbov)
        })
    }

    #[pyo3(signature = (session, duration, *, place = "queue"))]
    fn play_silence(
        &self,
        py: Python<'_>,
        session: u64,
        duration: f64,
        place: &str,
    ) -> PyResult<u64> {
        let place = place_of(place).map_err(raise)?;
        self.run(py, session, move |open| open.play_silence(place, duration))
    }

    fn stop_playback(&self, py: Python<'_>, session: u64, playback: u64) -> PyResult<f64> {
        self.run(py, session, move |open| Ok(open.stop_playback(playback)))
    }

    #[pyo3(signature = (session, path, side, file_format = "wav"))]
    fn start_recording(
        &self,
        py: Python<'_>,
        session: u64,
        path: PathBuf,
        side: &str,
        file_format: &str,
    ) -> PyResult<u64> {
        py.detach(|| {
            self.engine
                .start_recording(session, &path, side, file_format)
        })
        .map_err(raise)
    }

    fn stop_recording(&self, py: Python<'_>, session: u64, recording: u64) -> PyResult<f64> {
        py.detach(|| self.engine.stop_recording(session, recording))
            .map_err(raise)
    }

    fn send_dtmf(
        &self,
        py: Python<'_>,
        session: u64,
        tones: &str,
        duration: f64,
        gap: f64,
    ) -> PyResult<u64> {
        self.run(py, session, |open| open.send_dtmf(tones, duration, gap))
    }

    fn cancel_dtmf(&self, py: Python<'_>, session: u64, sending: u64) -> PyResult<()> {
        self.run(py, session, move |open| {
            open.cancel_dtmf(sending);
            Ok(())
        })
    }

    fn statistics(&self, py: Python<'_>, session: u64) -> PyResult<Figures> {
        let report = py.detach(|| self.engine.report(session));
        let (figures, streams, seconds) = report.map_err(raise)?;
        Ok(Figures {
            figures,
            streams,
            seconds,
        })
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = py.detach(|| self.engine.counts());
        let all = PyDict::new(py);
        all.set_item("sessions", counts.sessions)?;
        all.set_item("sockets", counts.sockets)?;
        all.set_item("playbacks", counts.playbacks)?;
        all.set_item("recordings", counts.recordings)?;
        all.set_item("ports", counts.ports)?;
        all.set_item("bridges", counts.bridges)?;
        all.set_item("rooms", counts.rooms)?;
        all.set_item("members", counts.members)?;
        all.set_item("frames_dropped", counts.frames_dropped)?;
        all.set_item("events_waiting", counts.events_waiting)?;
        all.set_item("events_lost", counts.events_lost)?;
        all.set_item("datagrams_unrouted", counts.datagrams_unrouted)?;
        Ok(all)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.engine.close());
    }

    #[pyo3(signature = (*, delay, jitter, loss, duplicate))]
    fn set_link(
        &self,
        py: Python<'_>,
        delay: f64,
        jitter: f64,
        loss: f64,
        duplicate: f64,
    ) -> PyResult<()> {
        let (delay, jitter) = (seconds(delay)?, seconds(jitter)?);
        let settings = LinkSettings {
            delay,
            jitter,
            loss,
            duplicate,
        };
        py.detach(|| self.engine.set_link(settings));
        Ok(())
    }

    fn next_deadline(&self, py: Python<'_>) -> Option<f64> {
        py.detach(|| self.engine.next_deadline())
    }

    fn advance(&self, py: Python<'_>, now: f64) {
        py.detach(|| self.engine.advance(now));
    }

    /// Panic inside a session, to prove that it ends that session only.
    fn inject_fault(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        self.run(py, session, |open| {
            open.fault();
            Ok(())
        })
    }
}

impl MediaEngine {
    pub(super) fn run<R: Send>(
        &self,
        py: Python<'_>,
        session: u64,
        command: impl FnOnce(&mut trivox_media::session::Session) -> Result<R, MediaError> + Send,
    ) -> PyResult<R> {
        py.detach(|| self.engine.command(session, |open, _| command(open)))
            .map_err(raise)
    }
}
