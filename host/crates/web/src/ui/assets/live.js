// Stages of Spaces as they change.

import { events } from './page.js';

const WORDS = {
  NO_APP_FILE: ['No app file', 'idle'], CONFIG_ERROR: ['Config error', 'bad'], BUILDING: ['Building', 'busy'],
  BUILD_ERROR: ['Build error', 'bad'], APP_STARTING: ['Starting', 'busy'], RUNNING: ['Running', 'good'],
  RUNNING_BUILDING: ['Running, building', 'busy'], RUNNING_APP_STARTING: ['Running, restarting', 'busy'],
  RUNTIME_ERROR: ['Runtime error', 'bad'], SLEEPING: ['Sleeping', 'idle'], PAUSED: ['Paused', 'idle'], DELETING: ['Deleting', 'idle'],
};
const PAUSE = 3000;

// Writes a stage into its badge; whether it is another than before.
export function show(badge, stage) {
  if (!badge || badge.dataset.stage === stage) return false;
  const [words, mood] = WORDS[stage] ?? [stage, 'idle'];
  badge.textContent = words;
  badge.className = `badge ${mood}`;
  badge.dataset.stage = stage;
  return true;
}

// Follows the runtime of a Space for as long as the page is shown.
export async function follow(path, onRuntime) {
  const stop = new AbortController();
  addEventListener('pagehide', () => stop.abort());
  while (!stop.signal.aborted) {
    try {
      for await (const runtime of events(`/api/spaces/${path}/events`, stop.signal)) onRuntime(runtime);
    } catch { /* the host is away for a moment, or the page is left */ }
    await new Promise((resume) => { setTimeout(resume, PAUSE); });
  }
}
