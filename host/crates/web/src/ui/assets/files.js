// Changes of files in the browser: each is a commit by the API, on top of what the page shows.

import { notice, onSubmit } from './page.js';
import { asOperation, transfer } from './upload.js';

const place = document.getElementById('files');
const space = document.querySelector('[data-space]').dataset.space;
const { branch, commit, folder, path } = place.dataset;
const token = document.querySelector('meta[name="page-token"]')?.content;
// Sends a commit and tells how much of it has gone.
async function send(summary, operations, how = {}) {
  const lines = [{ key: 'header', value: { summary, parentCommit: commit } }, ...operations];
  const headers = { 'content-type': 'application/x-ndjson' };
  if (token) headers['x-csrf-token'] = token;
  const body = lines.map((line) => JSON.stringify(line)).join('\n');
  const sent = await transfer('POST', `/api/spaces/${space}/commit/${encodeURIComponent(branch)}`, { headers, body, ...how });
  if (sent.status === 412) {
    throw new Error('Somebody has committed meanwhile: open the page again, and make your change on top of that.');
  }
  let answer;
  try { answer = JSON.parse(sent.responseText); } catch { /* a proxy's answer may be anything */ }
  if (sent.status !== 200) throw new Error(answer?.error ?? `The host answered ${sent.status}`);
  const warning = sent.getResponseHeader('x-hf-warning');
  if (warning) sessionStorage.setItem('warning', warning.replace(/^[a-z-]+;\s*/, ''));
  return answer;
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
  const operations = [await asOperation(space, file, new File([text], file), undefined, new AbortController().signal)];
  if (path && path !== file) operations.push({ key: 'deletedFile', value: { path } });
  await send(data.get('summary') || edit.elements.summary.placeholder, operations);
  location.assign(at(file));
});

const upload = place.querySelector('[data-form="upload"]');
const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);

// Tells how much of something has gone.
function tellSent(what, first, then) {
  const bar = document.getElementById('sent');
  const words = document.getElementById('sent-words');
  bar.hidden = false;
  bar.removeAttribute('value');
  words.textContent = first;
  return (sent, total) => {
    bar.value = total ? sent / total : 1;
    words.textContent = sent < total ? `${what}: ${mebibytes(sent)} of ${mebibytes(total)} MiB` : then;
  };
}

onSubmit(upload, async (data) => {
  const stop = new AbortController();
  const { signal } = stop;
  // Cancel and Escape both close the dialog.
  const dialog = upload.closest('dialog');
  const cancel = () => stop.abort();
  dialog.addEventListener('close', cancel);
  let isSent = false;
  try {
    const operations = [];
    for (const file of data.getAll('files')) {
      const where = folder ? `${folder}/${file.name}` : file.name;
      operations.push(await asOperation(space, where, file, tellSent(file.name, `${file.name}: being read.`, `${file.name}: sent.`), signal));
    }
    const tell = tellSent('The commit', 'The commit: being sent.', 'Sent: being committed.');
    const onSent = (sent, total) => {
      isSent = sent >= total;
      tell(sent, total);
    };
    await send(data.get('summary') || 'Upload files', operations, { onSent, signal });
    location.reload();
  } catch (error) {
    if (!signal.aborted) throw error;
    notice(isSent ? 'Cancelled when all was sent: open the page again to see whether it was committed.' : 'Cancelled: nothing was committed.');
  } finally {
    dialog.removeEventListener('close', cancel);
    document.getElementById('sent').hidden = true;
    document.getElementById('sent-words').textContent = '';
  }
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
