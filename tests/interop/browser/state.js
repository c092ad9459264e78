// What the test asks the page about, and what happened in order.
export const log = [];
export const state = { registered: false, status: "idle" };

export function note(name, detail = {}) {
  log.push({ name, at: performance.now(), ...detail });
}
