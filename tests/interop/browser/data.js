// Data channels of the page: what comes is noted, and sent back where the far end opened the channel.
const channels = [];
let connection = null;
let wanted = null;

function described(data) {
  if (typeof data === "string") return { text: data };
  const bytes = new Uint8Array(data);
  return { bytes: bytes.length, sum: bytes.reduce((sum, byte) => (sum + byte) % 65521, 0) };
}

function keep(channel, isOurs) {
  const received = [];
  channels.push({ channel, received });
  channel.binaryType = "arraybuffer";
  channel.onmessage = ({ data }) => {
    received.push(described(data));
    if (!isOurs) channel.send(data);
  };
}

// The next call has a channel of that label from its first offer on.
export function wantChannel(label) {
  wanted = label;
}

export function watchChannels(made) {
  connection = made;
  connection.addEventListener("datachannel", ({ channel }) => keep(channel, false));
  if (wanted !== null) openChannel(wanted);
  wanted = null;
}

export function openChannel(label, options = {}) {
  keep(connection.createDataChannel(label, options), true);
}

export function sendText(place, text) {
  channels[place].channel.send(text);
}

export function sendBytes(place, length) {
  channels[place].channel.send(Uint8Array.from({ length }, (_, at) => at % 251));
}

export function closeChannel(place) {
  channels[place].channel.close();
}

export function lookAtChannels() {
  return channels.map(({ channel, received }) => ({
    label: channel.label,
    protocol: channel.protocol,
    ordered: channel.ordered,
    maxRetransmits: channel.maxRetransmits,
    state: channel.readyState,
    received,
  }));
}
