// Changes of files in the browser: each is a commit by the API, on top of what the page shows.

import { notice, onSubmit } from './page.js';

const place = document.getElementById('files');
const space = document.querySelector('[data-space]').dataset.space;
const { branch, commit, folder, path } = place.dataset;
const token = document.querySelector('meta[name="page-token"]')?.content;
// What is larger is not a thing for git itself, and not for the memory of a browser.
const LARGEST = 10 * 2 ** 20;

async function base64(blob) {
  const reader = new FileReader();
  await new Promise((done, failed) => {
    [reader.onload, reader.onerror] = [done, () => failed(reader.error)];
    reader.readAsDataURL(blob);
  });
  return reader.result.slice(reader.result.indexOf(',') + 1);
}

// Sends a commit and tells how much of it has gone.
function send(summary, operations, onSent) {
  const lines = [{ key: 'header', value: { summary, parentCommit: commit } }, ...operations];
  const request = new XMLHttpRequest();
  request.open('POST', `/api/spaces/${space}/commit/${encodeURIComponent(branch)}`);
  request.setRequestHeader('content-type', 'application/x-ndjson');
  if (token) request.setRequestHeader('x-csrf-token', token);
  return new Promise((done, failed) => {
    request.upload.onprogress = (event) => onSent?.(event.loaded, event.total);
    request.onerror = () => failed(new Error('The host cannot be reached.'));
    request.onload = () => {
      const answer = JSON.parse(request.responseText || '{}');
      if (request.status === 200) {
        const warning = request.getResponseHeader('x-hf-warning');
        if (warning) sessionStorage.setItem('warning', warning.replace(/^[a-z-]+;\s*/, ''));
        done(answer);
      } else if (request.status === 412) {
        failed(new Error('Somebody has committed meanwhile: open the page again, and make your change on top of that.'));
      } else {
        failed(new Error(answer.error ?? `The host answered ${request.status}`));
      }
    };
    request.send(lines.map((line) => JSON.stringify(line)).join('\n'));
  });
}

const at = (file) => `/spaces/${space}/blob/${encodeURIComponent(branch)}/${file.split('/').map(encodeURIComponent).join('/')}`;

const warning = sessionStorage.getItem('warning');
if (warning) {
  notice(warning, 'bad');
  sessionStorage.removeItem('warning');
}

const edit = place.querySelector('[data-form="edit"]');
onSubmit(edit, async (data) => {
  const file = data.get('path').trim();
  const text = data.get('content').replace(/\r\n/g, '\n');
  const content = await base64(new Blob([text]));
  const operations = [{ key: 'file', value: { path: file, content, encoding: 'base64' } }];
  if (path && path !== file) operations.push({ key: 'deletedFile', value: { path } });
  await send(data.get('summary') || edit.elements.summary.placeholder, operations);
  location.assign(at(file));
});

onSubmit(place.querySelector('[data-form="upload"]'), async (data) => {
  const operations = [];
  for (const file of data.getAll('files')) {
    if (file.size > LARGEST) throw new Error(`${file.name} is larger than 10 MiB: push it with git-lfs, or with hf upload.`);
    const where = folder ? `${folder}/${file.name}` : file.name;
    operations.push({ key: 'file', value: { path: where, content: await base64(file), encoding: 'base64' } });
  }
  const bar = document.getElementById('sent');
  const words = document.getElementById('sent-words');
  bar.hidden = false;
  await send(data.get('summary') || 'Upload files', operations, (sent, total) => {
    bar.value = sent / total;
    words.textContent = sent < total ? `${(sent / 2 ** 20).toFixed(1)} of ${(total / 2 ** 20).toFixed(1)} MiB` : 'Sent: being committed.';
  });
  location.reload();
});

document.getElementById('delete-file')?.addEventListener('click', async () => {
  if (!confirm(`Delete ${path}?`)) return;
  try {
    await send(`Delete ${path}`, [{ key: 'deletedFile', value: { path } }]);
    location.assign(`/spaces/${space}/tree/${encodeURIComponent(branch)}`);
  } catch (error) {
    notice(error.message, 'bad');
  }
});
