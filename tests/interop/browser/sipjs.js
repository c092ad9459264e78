// SIP.js as the far end.
import * as SIP from "sip.js";
import { silence, toneStream, watch } from "./audio.js";
import { note, state } from "./state.js";

const AUDIO = { audio: true, video: false };
let agent = null;
let registerer = null;
let session = null;
let stream = null;
let constraints = AUDIO;

function adopt(made) {
  session = made;
  session.delegate = {
    onSessionDescriptionHandler: (handler) => watch(handler.peerConnection),
    onInfo(info) {
      const type = info.request.getHeader("Content-Type") ?? "";
      const tone = /Signal\s*=\s*(\S+)/.exec(info.request.body)?.[1];
      if (type.includes("dtmf")) note("dtmf", { tone, by: "remote" });
      else note("info", { type, body: info.request.body });
      info.accept();
    },
    onInvite: () => note("reinvite"),
    async onRefer(referral) {
      await referral.accept();
      stream = await toneStream(440);
      constraints = AUDIO;
      const called = referral.makeInviter({ sessionDescriptionHandlerOptions: { constraints } });
      adopt(called);
      await called.invite();
    },
  };
  session.stateChange.addListener((now) => {
    if (now === "Established") state.status = "connected";
    if (now === "Terminated") {
      state.status = state.status === "connected" ? "ended" : "failed";
      note(state.status);
    }
  });
}

async function accept(hz) {
  stream = await toneStream(hz);
  await session.accept({ sessionDescriptionHandlerOptions: { constraints: AUDIO } });
}

function reinvite(hold, offerOptions = {}) {
  const options = { constraints, hold, offerOptions };
  session.sessionDescriptionHandlerOptionsReInvite = { constraints, hold };
  // SIP.js only changes the direction: what is sent on hold is the page's affair.
  silence(hold);
  return new Promise((resolve) => {
    session
      .invite({
        sessionDescriptionHandlerOptions: options,
        requestDelegate: { onAccept: () => resolve(true), onReject: () => resolve(false) },
      })
      .catch(() => resolve(false));
  });
}

function info(contentType, content) {
  const body = { contentDisposition: "render", contentType, content };
  return session.info({ requestOptions: { body } }).then(() => true);
}

export const sipjs = {
  async start({ ws, uri, password, answerHz, refuse, rings }) {
    const user = SIP.UserAgent.makeURI(uri);
    agent = new SIP.UserAgent({
      uri: user,
      transportOptions: { server: ws },
      authorizationUsername: user.user,
      authorizationPassword: password,
      logBuiltinEnabled: false,
      sessionDescriptionHandlerFactory: SIP.Web.defaultSessionDescriptionHandlerFactory(async () => stream),
      // The library's default asks a public STUN server.
      sessionDescriptionHandlerFactoryOptions: {
        iceGatheringTimeout: 300,
        peerConnectionConfiguration: { iceServers: [] },
      },
      delegate: {
        onMessage(message) {
          note("message", { body: message.request.body });
          message.accept();
        },
        async onInvite(invitation) {
          adopt(invitation);
          note("incoming", { from: String(invitation.remoteIdentity.uri) });
          if (refuse) invitation.reject({ statusCode: refuse });
          else if (!rings) await accept(answerHz ?? 440);
        },
      },
    });
    await agent.start();
    registerer = new SIP.Registerer(agent, { expires: 120 });
    registerer.stateChange.addListener((now) => (state.registered = now === "Registered"));
    await registerer.register();
  },
  async dial(target, { hz = 440, video = false } = {}) {
    state.status = "calling";
    stream = await toneStream(hz, { video });
    constraints = { audio: true, video };
    const made = new SIP.Inviter(agent, SIP.UserAgent.makeURI(target), {
      sessionDescriptionHandlerOptions: { constraints },
    });
    adopt(made);
    await made.invite({
      requestDelegate: {
        onProgress: () => (state.status = "ringing"),
        onReject: (response) => note("failed", { code: response.message.statusCode }),
      },
    });
  },
  async hangup() {
    if (session.state === "Established") await session.bye();
    else if (session instanceof SIP.Inviter) await session.cancel();
    else await session.reject();
  },
  mute: () => silence(true),
  unmute: () => silence(false),
  hold: () => reinvite(true),
  unhold: () => reinvite(false),
  renegotiate: () => reinvite(false),
  restartIce: () => reinvite(false, { iceRestart: true }),
  async dtmf(tones, how = "RFC2833") {
    if (how === "RFC2833") {
      session.sessionDescriptionHandler.sendDtmf(tones, { duration: 120, interToneGap: 80 });
      return;
    }
    for (const tone of tones) await info("application/dtmf-relay", `Signal=${tone}\r\nDuration=120`);
  },
  info,
  message: (target, body) => new SIP.Messager(agent, SIP.UserAgent.makeURI(target), body).message().then(() => true),
  refer: (target) => session.refer(SIP.UserAgent.makeURI(target)).then(() => true),
  async stop() {
    await registerer.unregister();
    await agent.stop();
  },
};
