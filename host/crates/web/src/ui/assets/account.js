// Pages of an account and of the host: what is marked with `data-call` is one call of the API.
//
// `data-call` is method and address; `{name}` in it is the form's field of that name. `data-ask` is asked first. Afterwards
// the page is loaded again, or: `data-go` is where to go on to, `data-say` is told, `data-shows` is where the answer's
// token is shown.

import { attempt, call, notice, onSubmit } from './page.js';

// The members of a form's body. What is left empty is left out.
function members(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === 'radio' && !field.checked)) continue;
    if (field.type === 'checkbox') body[field.name] = field.checked;
    else if (field.value === '') continue;
    else if (field.type !== 'number') body[field.name] = field.value;
    else body[field.name] = field.dataset.unit ? Math.round(Number(field.value) * Number(field.dataset.unit)) : Number(field.value);
  }
  return body;
}

// A new token: one that is for some Spaces alone says for which.
function token(form) {
  const data = new FormData(form);
  const body = { displayName: data.get('displayName'), role: data.get('role') };
  if (body.role !== 'fineGrained') return body;
  const names = (data.get('spaces') ?? '').split(/\s+/).filter(Boolean);
  if (!names.length) throw new Error('Name at least one Space.');
  const permissions = data.getAll('permission');
  const scoped = names.map((name) => ({ entity: { type: name.includes('/') ? 'space' : 'user', name }, permissions }));
  return { ...body, fineGrained: { global: [], scoped } };
}

// What a form sends: the file that is chosen in it, or its fields.
function content(form) {
  if (form.dataset.body === 'file') return form.querySelector('input[type="file"]').files[0];
  return form.dataset.body === 'token' ? token(form) : members(form);
}

// An address with the form's fields in it, which are then no members of the body.
function filled(address, body) {
  return address.replace(/\{(\w+)\}/g, (_, name) => {
    const value = body[name] ?? '';
    delete body[name];
    return encodeURIComponent(value);
  });
}

async function act(from, body) {
  const { call: what, ask, go, say, shows } = from.dataset;
  if (ask && !confirm(ask)) return;
  const [method, address] = what.split(' ');
  const all = { ...body };
  const path = filled(address, body ?? {});
  const answer = await call(method, path, body);
  if (shows) {
    const place = document.getElementById(shows);
    place.querySelector('code').textContent = answer.token;
    place.hidden = false;
    place.focus();
    from.reset?.();
    showFields();
  } else if (say) {
    from.reset?.();
    notice(say);
  } else if (go) {
    location.assign(filled(go, all));
  } else {
    location.reload();
  }
}

for (const form of document.querySelectorAll('form[data-call]')) {
  onSubmit(form, () => act(form, content(form)));
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.call) {
    attempt(() => act(button, button.dataset.with ? JSON.parse(button.dataset.with) : undefined));
  }
  if (button.dataset.copy) {
    attempt(async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      notice('Copied.');
    });
  }
  if ('reload' in button.dataset) location.reload();
});

// Fields that only one role has.
function showFields() {
  for (const fields of document.querySelectorAll('[data-for-role]')) {
    const form = fields.closest('form');
    fields.hidden = new FormData(form).get('role') !== fields.dataset.forRole;
  }
}
document.addEventListener('change', showFields);
showFields();
