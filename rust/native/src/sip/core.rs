//! `SipCore`: one mutex round the sans-I/O core, one crossing per batch.
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use trivox_sip::{
    Address, DoorSettings, Forward, Origin, Outgoing, Reply, Settings, SipCore as Core,
};

use super::datagrams::Datagrams;
use super::message::Message;
use super::sending::send_all;
use super::text::Octets;
use super::values::{Headers, PyAddress, PyEvent, address, events, plain};
use crate::error::invalid_header;

#[pyclass(frozen, module = "trivox._native")]
pub(super) struct SipCore {
    core: Mutex<Core>,
    datagrams: Mutex<Datagrams>,
}

impl SipCore {
    // A panic inside leaves the tables as they were between two table steps: go on with them.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
#[allow(clippy::too_many_arguments)]
impl SipCore {
    #[new]
    #[pyo3(signature = (seed, *, t1=0.5, t2=4.0, t4=5.0, max_transactions=1_000_000))]
    fn new(seed: &[u8], t1: f64, t2: f64, t4: f64, max_transactions: usize) -> PyResult<Self> {
        if ![t1, t2, t4]
            .iter()
            .all(|timer| timer.is_finite() && *timer > 0.0)
        {
            return Err(PyValueError::new_err("t1, t2 and t4 are seconds above 0"));
        }
        let settings = Settings {
            t1,
            t2,
            t4,
            max_transactions,
        };
        Ok(Self {
            core: Mutex::new(Core::new(seed, settings)),
            datagrams: Mutex::default(),
        })
    }

    fn open_flow(
        &self,
        flow: u64,
        transport: &str,
        #[expect(
            unused_variables,
            reason = "says whose flow it is; the core needs no address"
        )]
        local: PyAddress,
    ) {
        self.lock().open_flow(flow, transport);
    }

    fn close_flow<'py>(&self, py: Python<'py>, flow: u64, now: f64) -> PyResult<Vec<PyEvent<'py>>> {
        let all = self.lock().close_flow(flow, now);
        events(py, all)
    }

    fn receive_batch<'py>(
        &self,
        py: Python<'py>,
        flow: u64,
        datagrams: Vec<(Bound<'py, PyBytes>, PyAddress)>,
        now: f64,
    ) -> PyResult<Vec<PyEvent<'py>>> {
        let batch: Vec<(&[u8], Address)> = datagrams
            .iter()
            .map(|(data, from)| (data.as_bytes(), address(from.clone())))
            .collect();
        let all = py.detach(|| {
            let (mut core, mut all) = (self.lock(), Vec::new());
            for (data, source) in &batch {
                core.receive_datagram(flow, data, Origin::Known(source), now, &mut all);
            }
            all
        });
        events(py, all)
    }

    fn receive_ready<'py>(
        &self,
        py: Python<'py>,
        flow: u64,
        descriptor: i32,
        limit: usize,
        now: f64,
    ) -> PyResult<(usize, Vec<PyEvent<'py>>)> {
        let (taken, all) = py.detach(|| {
            let (mut core, mut all) = (self.lock(), Vec::new());
            let mut datagrams = self
                .datagrams
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let taken = datagrams.drain(descriptor, limit, |data, source| {
                core.receive_datagram(flow, data, Origin::Raw(source), now, &mut all);
            });
            (taken, all)
        });
        Ok((taken, events(py, all)?))
    }

    fn admit<'py>(&self, py: Python<'py>, now: f64) -> PyResult<Vec<PyEvent<'py>>> {
        let all = py.detach(|| self.lock().admit(now));
        events(py, all)
    }

    #[pyo3(signature = (*, refusals_per_second, retry_after, calls_per_second, waiting,
        waiting_seconds, target_delay, overload_seconds, requests_per_source, source_ban, sources,
        strangers_per_second, overload_control, unacknowledged, kept))]
    fn set_door(
        &self,
        refusals_per_second: u32,
        retry_after: u32,
        calls_per_second: f64,
        waiting: usize,
        waiting_seconds: f64,
        target_delay: f64,
        overload_seconds: f64,
        requests_per_source: f64,
        source_ban: f64,
        sources: usize,
        strangers_per_second: f64,
        overload_control: bool,
        unacknowledged: usize,
        kept: usize,
    ) {
        self.lock().set_door(DoorSettings {
            refusals_per_second,
            retry_after,
            calls_per_second,
            waiting,
            waiting_seconds,
            target_delay,
            overload_seconds,
            requests_per_source,
            source_ban,
            sources,
            strangers_per_second,
            overload_control,
            unacknowledged,
            kept,
        });
    }

    fn exempt_sources(&self, networks: Vec<(IpAddr, u8)>) {
        self.lock().exempt_sources(&networks);
    }

    fn is_throttled(&self, destination: PyAddress, now: f64) -> bool {
        self.lock().is_throttled(&address(destination), now)
    }

    fn shut_door(&self, shut: bool) {
        self.lock().shut_door(shut);
    }

    #[getter]
    fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    fn receive_stream<'py>(
        &self,
        py: Python<'py>,
        flow: u64,
        data: &[u8],
        source: PyAddress,
        now: f64,
    ) -> PyResult<Vec<PyEvent<'py>>> {
        let all = py.detach(|| {
            let source = address(source);
            self.lock().receive_stream(flow, data, &source, now)
        });
        events(py, all)
    }

    fn request(
        &self,
        method: &str,
        uri: Octets,
        flow: u64,
        destination: PyAddress,
        sent_by: &str,
        headers: Headers,
        body: &[u8],
        token: i64,
        now: f64,
    ) -> PyResult<u64> {
        let headers = plain(headers);
        let destination = address(destination);
        let outgoing = Outgoing {
            method,
            uri: &uri.0,
            flow,
            destination,
            sent_by,
            headers,
            body,
        };
        let mut core = self.lock();
        core.command(now, |core| core.request(&outgoing, token, now))
            .unwrap_or_else(|| Ok(core.fail_request(&outgoing, token, now)))
            .map_err(invalid_header)
    }

    fn shorten(&self, tx: u64, limit: f64, now: f64) {
        self.lock().shorten(tx, limit, now);
    }

    fn respond(
        &self,
        tx: u64,
        status: u16,
        reason: Octets,
        headers: Headers,
        body: &[u8],
        to_tag: &str,
        token: i64,
        now: f64,
    ) -> PyResult<bool> {
        let (reason, headers) = (&reason.0, plain(headers));
        let reply = Reply {
            status,
            reason,
            headers,
            body,
            to_tag,
            token,
        };
        self.lock()
            .command(now, |core| core.respond(tx, &reply, now))
            .unwrap_or(Ok(false))
            .map_err(invalid_header)
    }

    fn acknowledge(
        &self,
        tx: u64,
        to_tag: Octets,
        uri: Octets,
        flow: u64,
        destination: PyAddress,
        sent_by: &str,
        headers: Headers,
        body: &[u8],
        now: f64,
    ) -> PyResult<()> {
        let (headers, destination) = (plain(headers), address(destination));
        let method = "ACK";
        let ack = Outgoing {
            method,
            uri: &uri.0,
            flow,
            destination,
            sent_by,
            headers,
            body,
        };
        self.lock()
            .command(now, |core| core.acknowledge(tx, &to_tag.0, &ack))
            .unwrap_or(Ok(()))
            .map_err(invalid_header)
    }

    fn cancel(&self, tx: u64, headers: Headers, token: i64, now: f64) -> PyResult<u64> {
        let headers = plain(headers);
        self.lock()
            .command(now, |core| core.cancel(tx, &headers, token, now))
            .unwrap_or(Ok(0))
            .map_err(invalid_header)
    }

    #[pyo3(signature = (message, uri, flow, destination, sent_by, *, routes, record_route,
        max_forwards, server, now, replaced=Vec::new()))]
    fn forward(
        &self,
        message: &Bound<'_, Message>,
        uri: Octets,
        flow: u64,
        destination: PyAddress,
        sent_by: &str,
        routes: Vec<Octets>,
        record_route: Octets,
        max_forwards: u32,
        server: u64,
        now: f64,
        replaced: Vec<(String, Octets)>,
    ) -> PyResult<u64> {
        let replaced = replaced.into_iter().map(|(name, value)| (name, value.0));
        let forward = Forward {
            uri: &uri.0,
            flow,
            destination: address(destination),
            sent_by,
            routes: routes.into_iter().map(|route| route.0).collect(),
            record_route: &record_route.0,
            max_forwards,
            server,
            replaced: replaced.collect(),
        };
        self.lock()
            .command(now, |core| core.forward(&message.get().0, &forward, now))
            .unwrap_or(Ok(0))
            .map_err(invalid_header)
    }

    fn forward_response(&self, server: u64, message: &Bound<'_, Message>, now: f64) -> bool {
        self.lock()
            .command(now, |core| {
                core.forward_response(server, &message.get().0, now)
            })
            .unwrap_or(false)
    }

    fn bind(&self, call_id: Octets, local_tag: Octets, remote_tag: Octets, token: i64) {
        self.lock()
            .bind(&call_id.0, &local_tag.0, &remote_tag.0, token);
    }

    fn forget(&self, call_id: Octets, local_tag: Octets, remote_tag: Octets) {
        self.lock().forget(&call_id.0, &local_tag.0, &remote_tag.0);
    }

    fn take_output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let all = self.lock().take_output();
        let all = all.into_iter().map(|output| {
            let to = (
                PyString::new(py, &output.destination.host),
                output.destination.port,
            );
            (output.flow, to, PyBytes::new(py, &output.data))
        });
        PyList::new(py, all.collect::<Vec<_>>())
    }

    fn send_ready(&self, py: Python<'_>, flow: u64, descriptor: i32) -> (usize, usize) {
        py.detach(|| {
            let output = self.lock().take_output_of(flow);
            let sent = send_all(descriptor, &output);
            for index in sent.without_a_way {
                self.lock().unsendable(&output[index].data);
            }
            for index in sent.forbidden {
                self.lock().undelivered(&output[index].data, false);
            }
            (output.len(), sent.refused)
        })
    }

    fn undelivered(&self, quoted: &[u8], is_final: bool) -> bool {
        self.lock().undelivered(quoted, is_final)
    }

    fn next_deadline(&self) -> Option<f64> {
        self.lock().next_deadline()
    }

    fn handle_timeout<'py>(&self, py: Python<'py>, now: f64) -> PyResult<Vec<PyEvent<'py>>> {
        let all = py.detach(|| self.lock().handle_timeout(now));
        events(py, all)
    }

    /// Panic in the so-many-th step from now, to prove that it costs one transaction only.
    fn inject_fault(&self, steps: u64) {
        self.lock().inject_fault(steps);
    }

    #[getter]
    fn received(&self) -> u64 {
        self.lock().received()
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for (name, value) in self.lock().statistics() {
            all.set_item(name, value)?;
        }
        Ok(all)
    }
}
