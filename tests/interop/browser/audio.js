// What the page says is an oscillator; what it hears goes through an analyser.
const RATE = 48000;
let audioContext = null;
let analyser = null;
let player = null;
let connection = null;
let listened = null;

async function context() {
  audioContext ??= new AudioContext({ sampleRate: RATE });
  if (audioContext.state !== "running") await audioContext.resume();
  return audioContext;
}

export async function toneStream(hz, { video = false } = {}) {
  const audio = await context();
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  const destination = audio.createMediaStreamDestination();
  oscillator.frequency.value = hz;
  gain.gain.value = 0.3;
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  if (!video) return destination.stream;
  const camera = await navigator.mediaDevices.getUserMedia({ video: true });
  return new MediaStream([...destination.stream.getTracks(), ...camera.getVideoTracks()]);
}

async function listen(track) {
  // A call that is resumed announces the same track again.
  if (track.kind !== "audio" || track === listened) return;
  listened = track;
  const audio = await context();
  // Chromium feeds a remote track to WebAudio only while a media element plays it too. A muted
  // one would silence the track itself once its receiving was stopped and resumed.
  player = new Audio();
  player.srcObject = new MediaStream([track]);
  player.play().catch(() => {});
  analyser = audio.createAnalyser();
  analyser.fftSize = 8192;
  analyser.smoothingTimeConstant = 0;
  audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
}

export function watch(peerConnection) {
  connection = peerConnection;
  connection.addEventListener("track", (event) => listen(event.track));
  for (const receiver of connection.getReceivers()) if (receiver.track) listen(receiver.track);
}

export const current = () => connection;

// The strongest frequency heard in the last 170 ms, and its level.
export function heard() {
  if (!analyser) return { hz: 0, rms: 0 };
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  const wave = new Float32Array(analyser.fftSize);
  analyser.getFloatFrequencyData(spectrum);
  analyser.getFloatTimeDomainData(wave);
  let peak = 2;
  for (let bin = 3; bin < spectrum.length - 1; bin++) if (spectrum[bin] > spectrum[peak]) peak = bin;
  const rms = Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length);
  return { hz: (peak * RATE) / analyser.fftSize, rms };
}

// Chromium's own counters of the audio it received and sent. They begin anew when receiving was
// stopped and resumed; WebAudio hears no more of such a track, and its level may stay at zero.
export async function counters() {
  const result = { received: 0, lost: 0, sent: 0, samples: 0, concealed: 0, roundTrip: 0 };
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "audio") {
      result.received = entry.packetsReceived;
      result.lost = entry.packetsLost;
      result.samples = entry.totalSamplesReceived ?? 0;
      result.concealed = entry.concealedSamples ?? 0;
    }
    if (entry.type === "outbound-rtp" && entry.kind === "audio") result.sent = entry.packetsSent;
    if (entry.type === "remote-inbound-rtp") result.roundTrip = entry.roundTripTime ?? 0;
  }
  return result;
}

// Pictures sent, and decoded of what came, on all video lines together; packets asked for again.
export async function pictures() {
  const result = { sent: 0, decoded: 0, width: 0, lines: 0, lost: 0, asked: 0, repaired: 0, repeated: 0 };
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === "inbound-rtp" && entry.kind === "video") {
      result.decoded += entry.framesDecoded ?? 0;
      result.width = Math.max(result.width, entry.frameWidth ?? 0);
      result.lines += (entry.framesDecoded ?? 0) > 0 ? 1 : 0;
      result.lost += entry.packetsLost ?? 0;
      result.asked += entry.nackCount ?? 0;
      result.repaired += entry.retransmittedPacketsReceived ?? 0;
    }
    if (entry.type === "outbound-rtp" && entry.kind === "video") {
      result.sent += entry.framesSent ?? 0;
      result.repeated += entry.retransmittedPacketsSent ?? 0;
    }
  }
  return result;
}

// The size of the picture that was decoded last, of the line that has decoded most.
export async function newest() {
  const lines = [...(await connection.getStats()).values()].filter(
    (entry) => entry.type === "inbound-rtp" && entry.kind === "video" && entry.framesDecoded,
  );
  lines.sort((one, other) => other.framesDecoded - one.framesDecoded);
  return { width: lines[0]?.frameWidth ?? 0, height: lines[0]?.frameHeight ?? 0 };
}

// The size in which a video element shows what is received: turned, where it says so.
let screen = null;
export async function shown() {
  const tracks = connection.getReceivers().map((receiver) => receiver.track);
  const track = tracks.find((one) => one?.kind === "video" && !one.muted);
  if (!track) return { width: 0, height: 0 };
  if (screen?.srcObject?.getTracks()[0] !== track) {
    screen = document.createElement("video");
    screen.muted = true;
    screen.srcObject = new MediaStream([track]);
    screen.play().catch(() => {});
  }
  return { width: screen.videoWidth, height: screen.videoHeight };
}

// The credentials this end has described itself with, and those its media travel under: they are
// the same once a restart of ICE has found its path.
export async function path() {
  const described = /a=ice-ufrag:(\S+)/.exec(connection.currentLocalDescription?.sdp ?? "")?.[1] ?? "";
  const result = { state: connection.iceConnectionState, described, used: "", type: "", cipher: "" };
  const stats = await connection.getStats();
  for (const entry of stats.values()) {
    if (entry.type !== "transport") continue;
    const pair = stats.get(entry.selectedCandidatePairId);
    const local = pair && stats.get(pair.localCandidateId);
    result.used = local?.usernameFragment ?? "";
    result.type = local?.candidateType ?? "";
    result.cipher = entry.srtpCipher ?? "";
  }
  return result;
}

export function silence(isSilent) {
  for (const sender of connection.getSenders()) {
    if (sender.track?.kind === "audio") sender.track.enabled = !isSilent;
  }
}
