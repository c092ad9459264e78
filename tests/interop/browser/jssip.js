// JsSIP as the far end.
import * as JsSIP from "jssip";
import { toneStream, watch } from "./audio.js";
import { watchChannels } from "./data.js";
import { note, state } from "./state.js";
import { FRAGMENT, HEADERS, fragmentOf, takeFragment, withoutCandidates } from "./trickle.js";

let agent = null;
let session = null;
let pcConfig = {};
let later = [];

// Rewrites the page's own offer, to be a far end with less to say.
function withoutBundle(sdp) {
  return sdp.replace(/a=group:BUNDLE.*\r\n/g, "");
}

// Has the page send by another port than that of the far end, and nowhere else.
function byPort(sdp, port) {
  return sdp.replace(/(a=candidate:\S+ \d+ udp \d+ \S+) \d+/g, `$1 ${port}`);
}

function adopt(made) {
  session = made;
  const begin = (connection) => {
    watch(connection);
    watchChannels(connection);
  };
  if (session.connection) begin(session.connection);
  else session.on("peerconnection", (event) => begin(event.peerconnection));
  let gathered = null;
  session.on("icecandidate", (event) => {
    later.push(event.candidate);
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
  session.on("newInfo", (event) => {
    if (event.originator !== "remote") return;
    note("info", { type: event.info.contentType, body: event.info.body });
    if (event.info.contentType === FRAGMENT) takeFragment(event.info.body);
  });
  session.on("hold", (event) => note("hold", { by: event.originator }));
  session.on("unhold", (event) => note("unhold", { by: event.originator }));
  session.on("refer", async (event) => {
    const mediaStream = await toneStream(440);
    event.accept(adopt, { mediaStream, mediaConstraints: { audio: true, video: false } });
  });
}

function outcome(ask) {
  return new Promise((resolve) => {
    if (!ask(() => resolve(true))) resolve(false);
  });
}

export const jssip = {
  start({ ws, uri, password, answerHz, refuse, rings, relay, bundles = true, trickle = false }) {
    if (relay) {
      const { port, username, credential } = relay;
      const server = { urls: `turn:127.0.0.1:${port}?transport=udp`, username, credential };
      pcConfig = { iceServers: [server], iceTransportPolicy: "relay" };
    }
    const socket = new JsSIP.WebSocketInterface(ws);
    agent = new JsSIP.UA({ sockets: [socket], uri, password, session_timers: false });
    agent.on("registered", () => (state.registered = true));
    agent.on("unregistered", () => (state.registered = false));
    agent.on("registrationFailed", (event) => note("registration-failed", { why: event.cause }));
    agent.on("newMessage", ({ originator, request }) => {
      if (originator === "remote") note("message", { body: request.body });
    });
    agent.on("newRTCSession", async ({ session: made, originator }) => {
      adopt(made);
      if (originator !== "remote") return;
      if (!bundles) {
        made.on("sdp", (event) => {
          if (event.originator === "remote") event.sdp = withoutBundle(event.sdp);
        });
      }
      note("incoming", { from: String(made.remote_identity.uri) });
      if (refuse) made.terminate({ status_code: refuse });
      else if (!rings) {
        const extraHeaders = trickle ? ["Recv-Info: trickle-ice", "Supported: trickle-ice"] : [];
        made.answer({ mediaStream: await toneStream(answerHz ?? 440), pcConfig, extraHeaders });
      }
    });
    agent.start();
  },
  async dial(target, { hz = 440, stripCandidates = false, video = false, bundle = true, by = 0, trickle = false } = {}) {
    state.status = "calling";
    later = [];
    if (!bundle) pcConfig = { ...pcConfig, bundlePolicy: "max-compat" };
    const made = agent.call(target, {
      mediaStream: await toneStream(hz, { video }),
      mediaConstraints: { audio: true, video },
      pcConfig,
      extraHeaders: trickle ? ["Recv-Info: trickle-ice"] : [],
    });
    made.on("sdp", (event) => {
      // Neither side learns of the other by its description.
      if (trickle) event.sdp = withoutCandidates(event.sdp);
      if (event.originator !== "local") {
        if (by) event.sdp = byPort(event.sdp, by);
        return;
      }
      if (stripCandidates) event.sdp = withoutCandidates(event.sdp);
      if (!bundle) event.sdp = withoutBundle(event.sdp);
    });
  },
  // For who was told to let it ring.
  answer: async () => session.answer({ mediaStream: await toneStream(440), pcConfig }),
  hangup: () => session.terminate(),
  mute: () => session.mute({ audio: true }),
  unmute: () => session.unmute({ audio: true }),
  hold: () => outcome((done) => session.hold({}, done)),
  unhold: () => outcome((done) => session.unhold({}, done)),
  renegotiate: () => outcome((done) => session.renegotiate({}, done)),
  restartIce: () =>
    outcome((done) => session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done)),
  dtmf(tones, how = "RFC2833") {
    session.sendDTMF(tones, { duration: 120, interToneGap: 80, transportType: how });
  },
  // One after the other, each with those before it.
  tellCandidates() {
    for (let count = 1; count <= later.length; count++) {
      session.sendInfo(FRAGMENT, fragmentOf(later.slice(0, count)), { extraHeaders: HEADERS });
    }
    return later.length;
  },
  info: (type, body) => session.sendInfo(type, body),
  message(target, body) {
    agent.sendMessage(target, body);
  },
  refer(target) {
    session.refer(target);
  },
  stop: () => agent.stop(),
};
