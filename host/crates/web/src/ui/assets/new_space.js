// Creates a Space, and says while its name is typed whether it is free.

import { call, onSubmit } from './page.js';

const TYPING_PAUSE = 300;
const form = document.getElementById('new-space');
const note = document.getElementById('name-note');
const hint = [...note.childNodes];
let waiting;
let asked = 0;

async function check() {
  const number = ++asked;
  const [owner, name] = [form.elements.owner.value, form.elements.name.value.trim()];
  if (!name || !form.elements.name.checkValidity()) {
    note.replaceChildren(...hint);
    return;
  }
  // The page itself tells: of a path that nobody has, the API's answer is an error, which browsers log as one.
  const response = await fetch(`${location.pathname}?${new URLSearchParams({ owner, name })}`, { headers: { accept: 'text/html' } });
  if (number !== asked || !response.ok) return;
  const told = new DOMParser().parseFromString(await response.text(), 'text/html').getElementById('name-note');
  if (number !== asked || !told) return;
  note.textContent = told.textContent;
  form.elements.name.setCustomValidity('taken' in told.dataset ? 'This name is taken' : '');
}

form.addEventListener('input', ({ target }) => {
  if (!['owner', 'name'].includes(target.name)) return;
  form.elements.name.setCustomValidity('');
  clearTimeout(waiting);
  waiting = setTimeout(check, TYPING_PAUSE);
});

onSubmit(form, async (data) => {
  const body = Object.fromEntries([...data].filter(([, value]) => value !== ''));
  body.organization = body.owner;
  body.type = 'space';
  delete body.owner;
  const made = await call('POST', '/api/repos/create', body);
  location.assign(`/spaces/${made.name}`);
});
