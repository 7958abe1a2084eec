// Discussions: each button and form is one call of the API.

import { attempt, call, onSubmit } from './page.js';

const space = document.querySelector('[data-space]').dataset.space;
const api = `/api/spaces/${space}/discussions`;
const one = document.getElementById('discussion');
const here = one && `${api}/${one.dataset.number}`;

onSubmit(document.querySelector('[data-form="open"]'), async (data) => {
  const made = await call('POST', api, {
    title: data.get('title'), description: data.get('description'), pullRequest: data.has('pull'),
  });
  location.assign(`/spaces/${space}/discussions/${made.num}`);
});
onSubmit(document.querySelector('[data-form="comment"]'), async (data) => {
  await call('POST', `${here}/comment`, { comment: data.get('comment') });
  location.reload();
});
for (const button of document.querySelectorAll('[data-status]')) {
  button.addEventListener('click', () => attempt(async () => {
    await call('POST', `${here}/status`, { status: button.dataset.status });
    location.reload();
  }));
}
for (const button of document.querySelectorAll('[data-hide]')) {
  button.addEventListener('click', () => attempt(async () => {
    if (!confirm('Hide this comment? Its text goes for good.')) return;
    await call('POST', `${here}/comment/${button.dataset.hide}/hide`);
    location.reload();
  }));
}
document.getElementById('merge')?.addEventListener('click', (event) => attempt(async () => {
  event.target.disabled = true;
  await call('POST', `${here}/merge`, {});
  location.reload();
}));
