// The m-lines of the page's call, changed behind the library's back; renegotiate() tells the far end.
import { current } from "./audio.js";

export function directions() {
  return current()
    .getTransceivers()
    .map(({ mid, currentDirection }) => ({ mid, direction: currentDirection }));
}

export function direct(place, direction) {
  current().getTransceivers()[place].direction = direction;
}

export function stopLine(place) {
  current().getTransceivers()[place].stop();
}

export function addLines(audio, video) {
  for (let more = 0; more < audio; more++) current().addTransceiver("audio");
  for (let more = 0; more < video; more++) current().addTransceiver("video");
}

export async function addCamera() {
  const camera = await navigator.mediaDevices.getUserMedia({ video: true });
  current().addTransceiver(camera.getVideoTracks()[0], { streams: [camera] });
}

// What the last offer and answer hold: one word of each m-line of the far end, its port.
export function ports() {
  const lines = (current().currentRemoteDescription?.sdp ?? "").match(/^m=.*$/gm) ?? [];
  return lines.map((line) => Number(line.split(" ")[1]));
}

// What this end may send by the far end's reports of arrivals, in bits a second.
export async function allowed() {
  let bitrate = 0;
  for (const entry of (await current().getStats()).values()) {
    if (entry.type === "candidate-pair" && entry.nominated) {
      bitrate = Math.max(bitrate, entry.availableOutgoingBitrate ?? 0);
    }
  }
  return bitrate;
}

// A camera sent three times at once: a quarter, a half and all of its size.
export async function addSimulcast() {
  const video = { width: 1280, height: 720, frameRate: 10 };
  const camera = await navigator.mediaDevices.getUserMedia({ video });
  current().addTransceiver(camera.getVideoTracks()[0], {
    streams: [camera],
    sendEncodings: [
      { rid: "q", scaleResolutionDownBy: 4 },
      { rid: "h", scaleResolutionDownBy: 2 },
      { rid: "f" },
    ],
  });
}

// By rid: what was asked of each layer that is sent, and key frames of it.
export async function layersSent() {
  const result = {};
  for (const entry of (await current().getStats()).values()) {
    if (entry.type !== "outbound-rtp" || !entry.rid) continue;
    result[entry.rid] = { plis: entry.pliCount ?? 0, keys: entry.keyFramesEncoded ?? 0 };
  }
  return result;
}
