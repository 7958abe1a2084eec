// Creates a Space, and says while its name is typed whether it is free.

import { checkName } from './name.js';
import { call, onSubmit } from './page.js';

const form = document.getElementById('new-space');

checkName(form, ['owner', 'name']);

onSubmit(form, async (data) => {
  const body = Object.fromEntries([...data].filter(([, value]) => value !== ''));
  body.organization = body.owner;
  body.type = 'space';
  delete body.owner;
  const made = await call('POST', '/api/repos/create', body);
  location.assign(`/spaces/${made.name}`);
});
