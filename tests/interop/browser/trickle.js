// Candidates apart from descriptions, by INFO (RFC 8840).
import { current } from "./audio.js";

export const FRAGMENT = "application/trickle-ice-sdpfrag";
export const HEADERS = ["Info-Package: trickle-ice", "Content-Disposition: Info-Package"];

// What a description is without what comes later.
export function withoutCandidates(sdp) {
  return sdp.replace(/a=(candidate:.*|end-of-candidates)\r\n/g, "");
}

// The part of a description or of a fragment that is about one line.
function partsOf(sdp) {
  return sdp.split(/^(?=m=)/m).filter((part) => part.startsWith("m="));
}

function midOf(part) {
  return part.match(/a=mid:(.*)\r\n/)[1];
}

// The fragment of candidates of this page, of the generation its description names.
export function fragmentOf(candidates) {
  const sections = partsOf(current().localDescription.sdp);
  const parts = sections.map((section) => {
    const mid = midOf(section);
    const lines = candidates
      .filter(({ sdpMid }) => sdpMid === mid)
      .map(({ candidate }) => `a=${candidate}\r\n`);
    if (!lines.length) return "";
    const credentials = ["ice-ufrag", "ice-pwd"].map((name) => section.match(`a=${name}:.*\r\n`)[0]);
    const kind = section.match(/m=(\w+)/)[1];
    return `m=${kind} 9 RTP/AVP 0\r\na=mid:${mid}\r\n${credentials.join("")}${lines.join("")}`;
  });
  return parts.join("");
}

// Has the page look into the candidates of a far end's fragment.
export async function takeFragment(body) {
  for (const part of partsOf(body)) {
    for (const line of part.match(/a=candidate:.*/g) ?? []) {
      await current().addIceCandidate({ candidate: line.slice(2).trim(), sdpMid: midOf(part) });
    }
  }
}
