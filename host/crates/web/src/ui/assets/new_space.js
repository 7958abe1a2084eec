// Creates a Space, and says while its name is typed whether it is free.

import { call, onSubmit } from './page.js';

const TYPING_PAUSE = 300;
const form = document.getElementById('new-space');
const note = document.getElementById('name-note');
const hint = note.innerHTML;
let waiting;
let asked = 0;

async function check() {
  const number = ++asked;
  const [owner, name] = [form.elements.owner.value, form.elements.name.value.trim()];
  if (!name || !form.elements.name.checkValidity()) {
    note.innerHTML = hint;
    return;
  }
  const token = document.querySelector('meta[name="page-token"]')?.content;
  const found = await fetch(`/api/spaces/${owner}/${encodeURIComponent(name)}`, { headers: token ? { 'x-csrf-token': token } : {} });
  if (number !== asked) return;
  note.textContent = found.ok ? `${owner}/${name} is there already.` : `${owner}/${name} is free.`;
  form.elements.name.setCustomValidity(found.ok ? 'This name is taken' : '');
}

for (const event of ['input', 'change']) {
  form.addEventListener(event, (changed) => {
    if (!['owner', 'name'].includes(changed.target.name)) return;
    form.elements.name.setCustomValidity('');
    clearTimeout(waiting);
    waiting = setTimeout(check, TYPING_PAUSE);
  });
}

onSubmit(form, async (data) => {
  const body = Object.fromEntries([...data].filter(([, value]) => value !== ''));
  body.organization = body.owner;
  body.type = 'space';
  delete body.owner;
  const made = await call('POST', '/api/repos/create', body);
  location.assign(`/spaces/${made.name}`);
});
