// The far end in the browser: one JsSIP user agent with one call at a time, driven through window.farEnd.
import * as JsSIP from "jssip";

const RATE = 48000;
const log = [];
const state = { call: null, registered: false, status: "idle", session: null };

function note(name, detail = {}) {
  log.push({ name, at: performance.now(), ...detail });
}

// Everything sent is an oscillator; everything heard goes through an analyser.
let audioContext = null;
let oscillator = null;
let analyser = null;
let player = null;

async function audio() {
  audioContext ??= new AudioContext({ sampleRate: RATE });
  if (audioContext.state !== "running") await audioContext.resume();
  return audioContext;
}

async function toneStream(hz) {
  const context = await audio();
  oscillator = context.createOscillator();
  const gain = context.createGain();
  const destination = context.createMediaStreamDestination();
  oscillator.frequency.value = hz;
  gain.gain.value = 0.3;
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  return destination.stream;
}

async function listen(track) {
  const context = await audio();
  // Chromium feeds a remote track to WebAudio only while a media element plays it too.
  player = new Audio();
  player.srcObject = new MediaStream([track]);
  player.muted = true;
  player.play().catch((error) => note("play-failed", { why: String(error) }));
  analyser = context.createAnalyser();
  analyser.fftSize = 8192;
  analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
}

function watch(connection) {
  state.connection = connection;
  connection.addEventListener("track", (event) => listen(event.track));
  connection.addEventListener("connectionstatechange", () =>
    note("connection", { state: connection.connectionState }),
  );
}

function adopt(session) {
  state.session = session;
  if (session.connection) watch(session.connection);
  else session.on("peerconnection", (event) => watch(event.peerconnection));
  let gathered = null;
  session.on("icecandidate", (event) => {
    // JsSIP waits for the end of gathering, which loopback hosts reach late.
    clearTimeout(gathered);
    gathered = setTimeout(() => event.ready(), 150);
  });
  session.on("progress", () => (state.status = "ringing"));
  session.on("confirmed", () => (state.status = "connected"));
  session.on("ended", (event) => {
    state.status = "ended";
    note("ended", { by: event.originator, cause: event.cause });
  });
  session.on("failed", (event) => {
    state.status = "failed";
    note("failed", { by: event.originator, cause: event.cause, code: event.message?.status_code });
  });
  session.on("newDTMF", (event) => note("dtmf", { tone: event.dtmf.tone, by: event.originator }));
}

// Rewrites the page's own offer, to be a far end with less to say.
function withoutCandidates(sdp) {
  return sdp.replace(/a=candidate:.*\r\n/g, "");
}

window.farEnd = {
  start({ ws, uri, password, answerHz }) {
    const socket = new JsSIP.WebSocketInterface(ws);
    const agent = new JsSIP.UA({ sockets: [socket], uri, password, session_timers: false });
    agent.on("registered", () => (state.registered = true));
    agent.on("unregistered", () => (state.registered = false));
    agent.on("registrationFailed", (event) => note("registration-failed", { why: event.cause }));
    agent.on("newRTCSession", async ({ session, originator }) => {
      adopt(session);
      if (originator !== "remote") return;
      note("incoming", { from: String(session.remote_identity.uri) });
      session.answer({ mediaStream: await toneStream(answerHz ?? 440) });
    });
    state.agent = agent;
    agent.start();
  },
  async dial(target, { hz = 440, stripCandidates = false } = {}) {
    state.status = "calling";
    const session = state.agent.call(target, {
      mediaStream: await toneStream(hz),
      mediaConstraints: { audio: true, video: false },
    });
    if (stripCandidates) {
      session.on("sdp", (event) => {
        if (event.originator === "local") event.sdp = withoutCandidates(event.sdp);
      });
    }
  },
  hangup() {
    state.session.terminate();
  },
  mute() {
    state.session.mute({ audio: true });
  },
  unmute() {
    state.session.unmute({ audio: true });
  },
  dtmf(tones) {
    state.session.sendDTMF(tones, { duration: 120, interToneGap: 80, transportType: "RFC2833" });
  },
  stop() {
    state.agent.stop();
  },
  look() {
    return { registered: state.registered, status: state.status, log };
  },
  // The strongest frequency heard in the last 170 ms, and its level.
  heard() {
    if (!analyser) return { hz: 0, rms: 0 };
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    const wave = new Float32Array(analyser.fftSize);
    analyser.getFloatFrequencyData(spectrum);
    analyser.getFloatTimeDomainData(wave);
    let peak = 2;
    for (let bin = 3; bin < spectrum.length - 1; bin++) if (spectrum[bin] > spectrum[peak]) peak = bin;
    const rms = Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length);
    return { hz: (peak * RATE) / analyser.fftSize, rms };
  },
  // Chromium's own counters of the audio it received and sent.
  async counters() {
    const result = { received: 0, lost: 0, sent: 0, samples: 0, concealed: 0, roundTrip: 0 };
    for (const entry of (await state.connection.getStats()).values()) {
      if (entry.type === "inbound-rtp") {
        result.received = entry.packetsReceived;
        result.lost = entry.packetsLost;
        result.samples = entry.totalSamplesReceived ?? 0;
        result.concealed = entry.concealedSamples ?? 0;
      }
      if (entry.type === "outbound-rtp") result.sent = entry.packetsSent;
      if (entry.type === "remote-inbound-rtp") result.roundTrip = entry.roundTripTime ?? 0;
    }
    return result;
  },
};
