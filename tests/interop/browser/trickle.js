// Candidates apart from descriptions, by INFO (RFC 8840).
import { current } from "./audio.js";

export const FRAGMENT = "application/trickle-ice-sdpfrag";
export const HEADERS = ["Info-Package: trickle-ice", "Content-Disposition: Info-Package"];

// What a description is without what comes later.
export function withoutCandidates(sdp) {
  return sdp.replace(/a=(candidate:.*|end-of-candidates)\r\n/g, "");
}

// The fragment of candidates of this page, of the generation its description names.
export function fragmentOf(candidates) {
  const { sdp } = current().localDescription;
  const credentials = ["ice-ufrag", "ice-pwd"].map((name) => sdp.match(`a=${name}:.*\r\n`)[0]);
  const mid = candidates[0].sdpMid;
  const lines = candidates.map(({ candidate }) => `a=${candidate}\r\n`);
  return `${credentials.join("")}m=audio 9 RTP/AVP 0\r\na=mid:${mid}\r\n${lines.join("")}`;
}

// Has the page look into the candidates of a far end's fragment.
export async function takeFragment(body) {
  const sdpMid = body.match(/a=mid:(.*)\r\n/)[1];
  for (const line of body.match(/a=candidate:.*/g) ?? []) {
    await current().addIceCandidate({ candidate: line.slice(2).trim(), sdpMid });
  }
}
