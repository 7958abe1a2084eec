// Sends content with the bytes that have gone told, for as long as nobody cancels it. Large files go to the host by themselves,
// as git-lfs sends them, before the commit that names them.

import { call } from './page.js';

// What is larger is not a thing for git itself.
const LARGE = 10 * 2 ** 20;
// All of a large file is in the memory of the browser while its hash is made.
const LARGEST = 2 ** 30;

// A request with a body; its answer, whatever its status is.
export function transfer(method, address, { headers = {}, body, onSent, signal }) {
  const request = new XMLHttpRequest();
  request.open(method, address);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  const abort = () => request.abort();
  return new Promise((done, failed) => {
    request.upload.onprogress = (event) => onSent?.(event.loaded, event.total);
    request.onload = () => done(request);
    request.onerror = () => failed(new Error('The host cannot be reached.'));
    request.onabort = () => failed(new Error('Cancelled.'));
    if (signal?.aborted) throw new Error('Cancelled.');
    signal?.addEventListener('abort', abort);
    request.send(body);
  }).finally(() => signal?.removeEventListener('abort', abort));
}

async function base64(blob) {
  const reader = new FileReader();
  await new Promise((done, failed) => {
    [reader.onload, reader.onerror] = [done, () => failed(reader.error)];
    reader.readAsDataURL(blob);
  });
  return reader.result.slice(reader.result.indexOf(',') + 1);
}

async function sha256(file) {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function sendLarge(space, file, onSent, signal) {
  if (file.size > LARGEST) throw new Error(`${file.name} is larger than 1 GiB: push it with git-lfs, or with hf upload.`);
  // Browsers have it only where the page came by TLS, or from this machine.
  if (!globalThis.crypto?.subtle) throw new Error(`${file.name} is larger than 10 MiB, which takes a page that came by https: push it with git-lfs, or with hf upload.`);
  const [oid, { size }] = [await sha256(file), file];
  if (signal.aborted) throw new Error('Cancelled.');
  const asked = { operation: 'upload', transfers: ['basic'], objects: [{ oid, size }] };
  const { objects: [{ error, actions }] } = await call('POST', `/spaces/${space}/info/lfs/objects/batch`, asked);
  if (error) throw new Error(`${file.name}: ${error.message}`);
  // Without an address the Space has it already.
  if (actions?.upload) {
    const sent = await transfer('PUT', actions.upload.href, { body: file, onSent, signal });
    if (sent.status !== 200) throw new Error(`${file.name}: the host answered ${sent.status}`);
  }
  return { key: 'lfsFile', value: { path: '', algo: 'sha256', oid, size } };
}

// A file as a line of a commit. `onSent` is told how much of it has gone, if it goes by itself.
export async function asOperation(space, path, file, onSent, signal) {
  if (file.size <= LARGE) return { key: 'file', value: { path, content: await base64(file), encoding: 'base64' } };
  const line = await sendLarge(space, file, onSent, signal);
  line.value.path = path;
  return line;
}
