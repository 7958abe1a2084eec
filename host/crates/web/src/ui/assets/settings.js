// Settings of a Space: each form is one call of the API.

import { attempt, call, notice, onSubmit } from './page.js';

const place = document.getElementById('settings');
const path = place.dataset.path;
const api = `/api/spaces/${path}`;
const form = (name) => place.querySelector(`[data-form="${name}"]`);
const done = () => notice('Changed.');

onSubmit(form('hardware'), async (data) => {
  await call('POST', `${api}/hardware`, { flavor: data.get('flavor') });
  done();
});
onSubmit(form('grant'), async (data) => {
  await call('POST', `${api}/grants`, { flavor: data.get('flavor'), reason: data.get('reason') });
  document.getElementById('grant').close();
  notice('Asked: an administrator decides.');
});
onSubmit(form('sleep'), async (data) => {
  await call('POST', `${api}/sleeptime`, { seconds: Number(data.get('seconds')) });
  done();
});
onSubmit(form('storage'), async (data) => {
  const tier = data.get('tier');
  if (!tier && !confirm('What is on the disk goes for good. Go on?')) return;
  await (tier ? call('POST', `${api}/storage`, { tier }) : call('DELETE', `${api}/storage`));
  done();
});
for (const name of ['variables', 'secrets']) {
  onSubmit(form(name), async (data) => {
    const body = { key: data.get('key'), value: data.get('value') };
    if (data.get('description')) body.description = data.get('description');
    await call('POST', `${api}/${name}`, body);
    location.reload();
  });
}
for (const button of place.querySelectorAll('[data-remove]')) {
  button.addEventListener('click', () => attempt(async () => {
    await call('DELETE', `${api}/${button.dataset.remove}`, { key: button.dataset.key });
    button.closest('tr').remove();
  }));
}
onSubmit(form('visibility'), async (data) => {
  await call('PUT', `${api}/settings`, { visibility: data.get('visibility'), discussionsDisabled: !data.has('discussions') });
  location.reload();
});
onSubmit(form('move'), async (data) => {
  await call('POST', '/api/repos/move', { fromRepo: path, toRepo: data.get('to').trim(), type: 'space' });
  location.assign(`/spaces/${data.get('to').trim()}/settings`);
});
onSubmit(form('delete'), async (data) => {
  if (data.get('confirm').trim() !== path) throw new Error(`Type ${path} to delete it.`);
  const [organization, name] = path.split('/');
  await call('DELETE', '/api/repos/delete', { organization, name, type: 'space' });
  location.assign('/');
});
