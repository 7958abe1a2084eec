// How a Space runs, as it changes. The host says all words; here only the time goes on.

import { events } from './page.js';

const PAUSE = 3000;
const SECOND = 1000;
// When what is shown began, by this page's own clock; what the host's shows is nobody's business.
let began;

function write(element, text) {
  // What is the same is not told again to those who listen to the page.
  if (element && element.textContent !== text) element.textContent = text;
}

// Writes a stage into its badge; whether it is another than before.
export function show(badge, stage, { words, mood }) {
  if (!badge || badge.dataset.stage === stage) return false;
  badge.textContent = words;
  badge.className = `badge ${mood}`;
  badge.dataset.stage = stage;
  return true;
}

// A span of seconds, as the host writes it.
function span(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function tick() {
  const elapsed = document.getElementById('elapsed');
  write(elapsed, began === undefined ? '' : span(Math.max(0, Math.floor((performance.now() - began) / SECOND))));
}

function begin(seconds) {
  const at = seconds === null || seconds === undefined ? undefined : performance.now() - seconds * SECOND;
  // The host counts whole seconds: less than one is no other beginning.
  if (began === undefined || at === undefined || Math.abs(at - began) >= SECOND) began = at;
  tick();
}

// Tells in the head of a Space what happens in it.
export function tell({ doing, elapsed, usual, notice }) {
  const [now, waits] = [document.getElementById('now'), document.getElementById('waits')];
  now.hidden = !doing;
  write(document.getElementById('doing'), doing ?? '');
  write(document.getElementById('usual'), usual ?? '');
  begin(elapsed);
  waits.hidden = !notice;
  write(waits, notice ?? '');
}

// Lets the time on the page go on from what it was when the page was loaded.
export function goOn() {
  const { seconds } = document.getElementById('elapsed').dataset;
  begin(seconds === undefined ? undefined : Number(seconds));
  setInterval(tick, SECOND);
}

// Follows the runtime of a Space for as long as the page is shown.
export async function follow(path, onRuntime) {
  const stop = new AbortController();
  addEventListener('pagehide', () => stop.abort());
  while (!stop.signal.aborted) {
    try {
      for await (const runtime of events(`/api/spaces/${path}/events?shown=true`, stop.signal)) onRuntime(runtime);
    } catch { /* the host is away for a moment, or the page is left */ }
    await new Promise((resume) => { setTimeout(resume, PAUSE); });
  }
}
