// What every page has: menus and dialogs, notices, and calls of the public API as the user who is signed in.

const token = document.querySelector('meta[name="page-token"]')?.content;

// Calls the API with a body that goes as JSON, or a file as it is. Gives the answer's JSON, or its text; fails with the
// message that the host tells.
export async function call(method, path, body) {
  const headers = {};
  if (token) headers['x-csrf-token'] = token;
  const isFile = body instanceof Blob;
  if (isFile) headers['content-type'] = 'application/octet-stream';
  else if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: isFile || body === undefined ? body : JSON.stringify(body) });
  const text = await response.text();
  let answer = text;
  try { answer = JSON.parse(text); } catch { /* an answer without JSON is its text */ }
  if (!response.ok) throw new Error(answer?.error ?? response.headers.get('x-error-message') ?? `The host answered ${response.status}`);
  for (const warning of (response.headers.get('x-hf-warning') ?? '').split(/,\s*(?=[a-z-]+;)/)) {
    if (warning) notice(warning.replace(/^[a-z-]+;\s*/, ''), 'bad');
  }
  return answer;
}

// The events of a stream, each a JSON object, until it ends or the signal aborts.
export async function* events(path, signal) {
  const response = await fetch(path, { headers: token ? { 'x-csrf-token': token } : {}, signal });
  if (!response.ok) throw new Error(`The host answered ${response.status}`);
  let rest = '';
  for await (const chunk of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const frames = (rest + chunk).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const data = frame.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
      if (data) yield JSON.parse(data);
    }
  }
}

// Not every browser can walk through a stream by itself.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Tells something at the foot of the page; after a while it goes.
export function notice(text, mood = '') {
  const line = document.createElement('p');
  line.textContent = text;
  line.className = mood;
  document.getElementById('notice').replaceChildren(line);
  setTimeout(() => line.remove(), mood === 'bad' ? 15000 : 6000);
}

// Does something that may fail, and says why when it does.
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    notice(error.message, 'bad');
    return undefined;
  }
}

// A form that calls the API instead of being sent; a failure is told in its `.error`.
export function onSubmit(form, work) {
  form?.addEventListener('submit', async (event) => {
    event.preventDefault();
    const told = form.querySelector('.error');
    // What cancels the work stays of use while it is done.
    const buttons = [...form.querySelectorAll('button:not([data-cancel])')].filter((button) => !button.disabled);
    buttons.forEach((button) => { button.disabled = true; });
    try {
      await work(new FormData(form), event.submitter);
      if (told) told.hidden = true;
    } catch (error) {
      if (told) {
        told.textContent = error.message;
        told.hidden = false;
      } else {
        notice(error.message, 'bad');
      }
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  });
}

document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-dialog]');
  if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
  if (event.target.closest('[data-close]')) event.target.closest('dialog')?.close();
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target) || opener) menu.open = false;
  }
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});

const UNITS = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

// Times as people say them; the exact one stays as the title.
export function tellTimes(root = document) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
    time.textContent = words.format(Math.round(seconds / size), unit);
    time.title = time.dateTime;
  }
}
tellTimes();
