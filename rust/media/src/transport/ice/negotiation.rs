//! What ICE and DTLS take from the two session descriptions, and what they give to ours.

use std::net::SocketAddr;
use std::time::Instant;

use rtc::dtls::config::ExtendedMasterSecretType;
use rtc::ice::candidate::candidate_host::CandidateHostConfig;
use rtc::ice::candidate::{Candidate, CandidateConfig, CandidateType, unmarshal_candidate};

use super::super::dtls::Dtls;
use super::lite::Lite;
use super::{Component, Credentials, GatheredCandidate, credentials_of, ice_fault};
use crate::MediaError;

/// Addresses of the peer, from all of its descriptions since the last restart: a peer with many
/// interfaces has some twenty.
const MOST_CANDIDATES: usize = 64;
/// Addresses that the checks of the peer have shown: whoever repeats one from many ports has the
/// agent check each.
const MOST_SHOWN: usize = 32;

/// Our half of an ICE session, for the SDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceDescription {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub password: String,
    /// The addresses of the host candidates, in order of preference.
    pub candidates: Vec<SocketAddr>,
    /// What was gathered beside them.
    pub gathered: Vec<GatheredCandidate>,
    /// `a=fingerprint:sha-256`.
    pub fingerprint: String,
    /// We are an ICE-lite agent: the peer checks, and controls.
    pub is_lite: bool,
    /// There will be no more candidates: `a=end-of-candidates`.
    pub is_complete: bool,
    /// Where RTCP is reached by itself, unless it goes with RTP for sure.
    pub rtcp: Option<RtcpDescription>,
}

/// What we say of RTCP's own component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtcpDescription {
    /// The addresses of its host candidates, in order of preference.
    pub candidates: Vec<SocketAddr>,
    /// What was gathered beside them.
    pub gathered: Vec<GatheredCandidate>,
}

/// The peer's half of an ICE session, from its SDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteIce {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub password: String,
    /// The values of `a=candidate`, without `candidate:`.
    pub candidates: Vec<String>,
    /// Those of RTCP's own component; None where RTCP goes with RTP, or there is but one component.
    pub rtcp: Option<Vec<String>>,
    /// Fingerprints of one hash, in upper case: SHA-256, SHA-384 or SHA-512, as long as they are.
    pub fingerprints: Vec<String>,
    /// The peer is an ICE-lite agent: it never controls.
    pub is_lite: bool,
    /// More candidates may come by themselves (RFC 8838): it has not said that these are all.
    pub has_more_to_come: bool,
}

/// Whose credentials a restart takes for our side.
#[derive(Debug)]
enum Restart {
    /// Those of our offer, which the peer has now answered.
    Prepared,
    /// New ones, for our answer; those of the other component, if that has made some.
    Fresh(Option<Credentials>),
    /// The old ones: another peer answers the offer that had them.
    Kept,
}

impl Restart {
    fn of(is_offer: bool, was_prepared: bool, shared: Option<Credentials>) -> Self {
        match (is_offer, was_prepared) {
            (true, _) => Self::Fresh(shared),
            (false, true) => Self::Prepared,
            (false, false) => Self::Kept,
        }
    }
}

impl Component {
    /// What an answer says, with the credentials in force, or an offer, with those of a prepared
    /// restart, if there is one.
    pub(super) fn describe(&self, is_offer: bool) -> IceDescription {
        let prepared = self.prepared.as_ref().filter(|_| is_offer);
        let own = prepared.unwrap_or(&self.live);
        IceDescription {
            ufrag: own.ufrag.clone(),
            password: own.password.clone(),
            candidates: self.locals.clone(),
            gathered: self.gathered.clone(),
            fingerprint: self.identity.fingerprint().to_owned(),
            is_lite: self.lite.is_some(),
            is_complete: true,
            rtcp: None,
        }
    }

    /// Prepares an ICE restart: the next offer has new credentials, those `shared` if there are
    /// such; all else stays as it is.
    pub(super) fn prepare_restart(
        &mut self,
        shared: Option<Credentials>,
    ) -> Result<(), MediaError> {
        let own = shared.unwrap_or_default();
        self.agent
            .generate_restart_credentials(own.ufrag, own.password)
            .map_err(|error| ice_fault(&error))?;
        self.prepared = Some(credentials_of(&self.agent));
        self.early_checks.clear();
        Ok(())
    }

    /// Forgets a prepared restart: its offer was refused, and the next one says what is in force.
    pub(super) fn cancel_restart(&mut self) {
        self.prepared = None;
        self.early_checks.clear();
    }

    /// Takes the peer's description, with the candidates of this component; `is_offer` says whose
    /// it is, `is_dtls_client` what we are. `shared` are the credentials of the other component,
    /// which has taken it before.
    ///
    /// Raises Negotiation for a description without credentials or fingerprint.
    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        (remote, candidates): (&RemoteIce, &[String]),
        (is_offer, is_dtls_client): (bool, bool),
        shared: Option<Credentials>,
    ) -> Result<(), MediaError> {
        if remote.fingerprints.is_empty() {
            return Err(MediaError::Negotiation(
                "the description has no fingerprint".to_owned(),
            ));
        }
        // Between two lite agents nobody would check (RFC 8445 §6.1.1).
        if self.may_be_lite && is_offer && !remote.is_lite && self.remote_ufrag.is_none() {
            self.lite = Some(Lite::new(now));
        }
        let is_new = self.remote_ufrag.as_deref() != Some(&remote.ufrag);
        let was_prepared = self.prepared.take().is_some();
        let others = shared.filter(|shared| is_offer && shared.ufrag != self.live.ufrag);
        let begins_anew =
            is_new && self.remote_ufrag.is_some() || was_prepared && !is_offer || others.is_some();
        if self.is_lost && !begins_anew {
            return Ok(());
        }
        if begins_anew {
            self.revive(now);
            self.restart(now, Restart::of(is_offer, was_prepared, others))?;
        }
        self.set_remote_dtls(now, is_new, is_dtls_client, &remote.fingerprints)?;
        if is_new || was_prepared && !is_offer {
            self.begin_checks(now, remote, is_offer)?;
            if is_new {
                self.note_former();
            }
            self.remote_ufrag = Some(remote.ufrag.clone());
            self.remote_password.clone_from(&remote.password);
            self.allow_checks(remote.has_more_to_come);
        }
        if self.lite.is_none() {
            for candidate in candidates {
                self.add_remote_candidate(candidate);
            }
            self.drain(now);
        }
        self.repeat_early_checks(now);
        Ok(())
    }

    fn begin_checks(
        &mut self,
        now: Instant,
        remote: &RemoteIce,
        is_offer: bool,
    ) -> Result<(), MediaError> {
        self.checking_since = Some(now);
        self.is_settled = false;
        if let Some(lite) = &mut self.lite {
            lite.begin(now);
            return Ok(());
        }
        // Anew with each restart, as RFC 5245 §9.2.1.1 had it and browsers do: keeping the role
        // (RFC 8445 §6.1.1) has both sides in one, and media stands still while they sort it out.
        let controlling = !is_offer || remote.is_lite;
        let (ufrag, password) = (remote.ufrag.clone(), remote.password.clone());
        self.agent
            .start_connectivity_checks(now, controlling, ufrag, password)
            .map_err(|error| MediaError::Negotiation(format!("ICE: {error}")))
    }

    fn set_remote_dtls(
        &mut self,
        now: Instant,
        is_new_peer: bool,
        is_client: bool,
        fingerprints: &[String],
    ) -> Result<(), MediaError> {
        let serves = self
            .dtls
            .as_ref()
            .is_some_and(|dtls| dtls.serves(is_client, fingerprints));
        if serves {
            return Ok(());
        }
        // Another certificate is another association (RFC 8842 §4): new keys, checked anew.
        let mut dtls = Dtls::new(
            self.identity.clone(),
            is_client,
            fingerprints.to_vec(),
            ExtendedMasterSecretType::Require,
        )?;
        if is_new_peer {
            // Somebody else has taken over: what was agreed with the one before leads nowhere.
            self.path = None;
            self.consent = None;
            self.former = None;
            self.gate.forget_all();
        }
        if self.path.is_some() {
            dtls.start(now);
        }
        self.dtls = Some(dtls);
        self.srtp = None;
        if let Some(path) = self.path {
            self.send_dtls(path);
        }
        Ok(())
    }

    fn restart(&mut self, now: Instant, kind: Restart) -> Result<(), MediaError> {
        self.keep_former();
        let Credentials { ufrag, password } = self.live.clone();
        // Local candidates are added anew: those of relays that are gone must not come back.
        let done = match kind {
            Restart::Prepared => self.agent.apply_restart(now, false),
            Restart::Fresh(shared) => {
                let own = shared.unwrap_or_default();
                self.agent.restart(now, own.ufrag, own.password, false)
            }
            Restart::Kept => self.agent.restart(now, ufrag, password, false),
        };
        done.map_err(|error| ice_fault(&error))?;
        self.live = credentials_of(&self.agent);
        self.unproven_checks = 0;
        self.gate.restart();
        self.add_local_candidates()
    }

    pub(super) fn add_local_candidates(&mut self) -> Result<(), MediaError> {
        for local in self.locals.clone() {
            let base_config = CandidateConfig {
                network: "udp".to_owned(),
                address: local.ip().to_string(),
                port: local.port(),
                component: self.number(),
                ..CandidateConfig::default()
            };
            let config = CandidateHostConfig {
                base_config,
                ..CandidateHostConfig::default()
            };
            config
                .new_candidate_host()
                .and_then(|candidate| self.agent.add_local_candidate(candidate))
                .map_err(|error| ice_fault(&error))?;
        }
        self.add_relayed_candidates()
    }

    /// Adds a candidate. What we cannot use (TCP, names, the other component's) is passed over; what
    /// nobody can read, and what is too much, is counted.
    pub(super) fn add_remote_candidate(&mut self, value: &str) {
        let Ok(candidate) = unmarshal_candidate(value) else {
            self.counts.refused_candidates += 1;
            return;
        };
        let known = self.agent.get_remote_candidates();
        if !self.can_use(&candidate) || known.iter().any(|one| one.equal(&candidate)) {
            return;
        }
        if known.iter().filter(|one| !is_shown(one)).count() >= MOST_CANDIDATES {
            self.counts.refused_candidates += 1;
            return;
        }
        self.agent.add_remote_candidate(candidate).ok();
    }

    fn can_use(&self, candidate: &Candidate) -> bool {
        candidate.component() == self.number()
            && candidate.network_type().is_udp()
            && !candidate.address().ends_with(".local")
            && !candidate.addr().ip().is_unspecified()
            && !candidate.addr().ip().is_multicast()
            && candidate.addr().port() != 0
    }

    /// Whether a check from an unknown address is left alone, as there are too many such; counts it.
    pub(super) fn is_one_too_many(&mut self, from: SocketAddr) -> bool {
        let known = self.agent.get_remote_candidates();
        let is_too_many = known.iter().filter(|one| is_shown(one)).count() >= MOST_SHOWN
            && known.iter().all(|one| one.addr() != from);
        self.counts.refused_stun += u64::from(is_too_many);
        is_too_many
    }
}

fn is_shown(candidate: &Candidate) -> bool {
    candidate.candidate_type() == CandidateType::PeerReflexive
}
