// The far end in the browser: one user agent with one call at a time, driven through window.farEnd.
import { counters, heard, newest, path, pictures, shown } from "./audio.js";
import * as data from "./data.js";
import { jssip } from "./jssip.js";
import * as lines from "./lines.js";
import { sipjs } from "./sipjs.js";
import { log, state } from "./state.js";

const LIBRARIES = { jssip, sipjs };
const COMMANDS = Object.keys(jssip);
let library = null;

window.farEnd = {
  look: () => ({ registered: state.registered, status: state.status, log }),
  heard,
  counters,
  newest,
  pictures,
  shown,
  path,
  ...lines,
  ...data,
};
for (const name of COMMANDS) window.farEnd[name] = (...words) => library[name](...words);
window.farEnd.start = (options) => {
  library = LIBRARIES[options.library ?? "jssip"];
  return library.start(options);
};
