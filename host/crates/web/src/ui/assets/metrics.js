// What a Space uses: at this moment, and minute by minute.

import { attempt, call, events } from './page.js';

const path = document.querySelector('[data-space]').dataset.space;
const api = `/api/spaces/${path}/metrics`;
const REFRESH = 60000;
const MINUTE = 60000;
const [WIDTH, HEIGHT] = [600, 140];

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const bytes = (value) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(value) / 10)) : 0;
  return `${number.format(value / 1024 ** step)} ${units[step]}`;
};
const CHARTS = [
  ['Requests', 'requests', (value) => number.format(value)],
  ['Failed requests', 'failed', (value) => number.format(value)],
  ['Latency, p50', 'latencyP50Ms', (value) => `${number.format(value)} ms`],
  ['Latency, p99', 'latencyP99Ms', (value) => `${number.format(value)} ms`],
  ['CPU time', 'cpuMs', (value) => `${number.format(value)} ms`],
  ['Fuel', 'fuel', (value) => number.format(value)],
  ['Memory, at most', 'memoryBytes', bytes],
  ['Instances, at most', 'instances', (value) => number.format(value)],
  ['Cold starts', 'coldStarts', (value) => number.format(value)],
];
let span = 60;

function svg(name, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function chart(title, told, points) {
  const most = Math.max(...points.map(([, value]) => value), 0);
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = `${title}: at most ${told(most)}`;
  const start = Date.now() - span * MINUTE;
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': caption.textContent });
  const step = WIDTH / span;
  for (const [at, value] of points) {
    if (!value) continue;
    const height = Math.max(1, (value / most) * (HEIGHT - 2));
    const x = ((at - start) / MINUTE) * step;
    const bar = svg('rect', { x, y: HEIGHT - height, width: Math.max(0.6, step * 0.8), height });
    const hint = svg('title', {});
    hint.textContent = `${new Date(at).toLocaleTimeString()}: ${told(value)}`;
    bar.append(hint);
    drawing.append(bar);
  }
  drawing.append(svg('line', { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }));
  figure.append(caption, drawing);
  return figure;
}

async function draw() {
  const { items } = await call('GET', `${api}/history?minutes=${span}`);
  const charts = CHARTS.map(([title, key, told]) =>
    chart(title, told, items.map((item) => [Date.parse(item.at), item[key]])));
  document.getElementById('charts').replaceChildren(...charts);
}

for (const button of document.querySelectorAll('[data-span]')) {
  button.addEventListener('click', () => {
    span = Number(button.dataset.span);
    for (const other of document.querySelectorAll('[data-span]')) other.setAttribute('aria-pressed', String(other === button));
    attempt(draw);
  });
}
attempt(draw);
setInterval(() => document.hidden || draw().catch(() => {}), REFRESH);

const now = document.getElementById('now');
try {
  for await (const reading of events(api)) {
    const told = [
      ['CPU', `${number.format(reading.cpu_usage_pct)} % of ${number.format(reading.cpu_millicores / 1000)} vCPU`],
      ['Memory', `${bytes(reading.memory_used_bytes)} of ${bytes(reading.memory_total_bytes)}`],
      ['Instances', number.format(reading.instances)],
      ['Sent', `${bytes(reading.tx_bps)}/s`],
    ];
    now.replaceChildren(...told.map(([name, value]) => {
      const pair = document.createElement('div');
      const [term, text] = [document.createElement('dt'), document.createElement('dd')];
      [term.textContent, text.textContent] = [name, value];
      pair.append(term, text);
      return pair;
    }));
  }
} catch { /* the page shows what it had */ }
