// A log as it is written: searched, followed, and taken up again where it broke off.

import { events } from './page.js';

const MOST = 10000;
const PAUSE = 3000;

const place = document.getElementById('logs');
const box = document.getElementById('lines');
const form = place.querySelector('form');
const path = document.querySelector('[data-space]').dataset.space;
const lines = [];
let shown = 0;

function matches(line) {
  const wanted = form.search.value.trim().toLowerCase();
  return !wanted || line.data.toLowerCase().includes(wanted);
}

function element(line) {
  const row = document.createElement('span');
  const time = document.createElement('time');
  time.textContent = line.timestamp.slice(11, 19);
  time.title = line.timestamp;
  row.append(time, ' ', line.data.replace(/\u001b\[[0-9;]*m/g, ''));
  return row;
}

function tell() {
  const count = document.getElementById('count');
  count.textContent = shown === lines.length ? `${lines.length} lines` : `${shown} of ${lines.length} lines`;
  if (form.follow.checked) box.scrollTop = box.scrollHeight;
}

function draw() {
  const found = lines.filter(matches);
  shown = found.length;
  box.replaceChildren(...found.map(element));
  tell();
}

function add(line) {
  lines.push(line);
  if (lines.length > MOST) {
    lines.splice(0, lines.length - MOST);
    draw();
  } else if (matches(line)) {
    shown += 1;
    box.append(element(line));
  }
}

form.addEventListener('submit', (event) => event.preventDefault());
form.search.addEventListener('input', draw);
form.follow.addEventListener('change', tell);
box.addEventListener('wheel', () => { form.follow.checked = false; }, { passive: true });

for (;;) {
  try {
    // A stream begins with all that is kept.
    lines.length = 0;
    draw();
    let due = false;
    for await (const line of events(`/api/spaces/${path}/logs/${place.dataset.log}`)) {
      add(line);
      due ||= !!requestAnimationFrame(() => { due = false; tell(); });
    }
  } catch (error) {
    document.getElementById('count').textContent = error.message;
  }
  await new Promise((resume) => { setTimeout(resume, PAUSE); });
}
