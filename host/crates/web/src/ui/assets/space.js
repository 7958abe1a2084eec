// The head of every page of a Space, and the frame of its app.

import { attempt, call, notice, onSubmit } from './page.js';
import { follow, goOn, show, tell } from './live.js';

const head = document.querySelector('[data-space]');
const path = head.dataset.space;
const api = `/api/spaces/${path}`;

const frame = document.getElementById('app');
if (frame) {
  // What the page was asked with goes on to the app, once.
  const address = new URL(frame.dataset.src);
  for (const [name, value] of new URLSearchParams(location.search)) address.searchParams.append(name, value);
  address.hash = location.hash;
  frame.src = address;
  addEventListener('message', (event) => {
    if (event.source !== frame.contentWindow || event.origin !== address.origin) return;
    const { queryString, hash, type } = event.data ?? {};
    if (typeof queryString === 'string' || typeof hash === 'string') {
      const here = new URL(location.href);
      if (typeof queryString === 'string') here.search = queryString;
      if (typeof hash === 'string') here.hash = hash;
      history.replaceState(null, '', here);
    }
    if (type === 'USER_PLAN_REQUEST') {
      const user = document.querySelector('meta[name="page-token"]') ? 'free' : 'anonymous';
      frame.contentWindow.postMessage({ type: 'USER_PLAN', plan: { user } }, address.origin);
    }
  });
}

let first;
let served;
goOn();
follow(path, (runtime) => {
  const { shown } = runtime;
  const badge = document.querySelector('#stage .badge');
  const changed = show(badge, runtime.stage, shown);
  tell(shown);
  // What a start waits for is told above, and is no other reason.
  const state = `${runtime.stage} ${shown.notice ? '' : runtime.errorMessage ?? ''}`;
  first ??= state;
  // A page that tells why there is no app turns into the app, or into another reason.
  const gap = document.getElementById('not-served');
  if (gap && (shown.isServed || changed || state !== first)) location.reload();
  // Whoever works on the app sees it change; who uses it goes on with what they have.
  if (frame?.dataset.author !== undefined && runtime.stage === 'RUNNING') {
    served ??= runtime.sha;
    if (served !== runtime.sha) location.reload();
  }
});

const like = document.getElementById('like');
like?.addEventListener('click', () => attempt(async () => {
  const liked = like.getAttribute('aria-pressed') === 'true';
  await call(liked ? 'DELETE' : 'POST', `${api}/like`);
  like.setAttribute('aria-pressed', String(!liked));
  const count = document.getElementById('likes');
  count.textContent = Number(count.textContent) + (liked ? -1 : 1);
}));

for (const button of document.querySelectorAll('[data-act]')) {
  button.addEventListener('click', () => attempt(async () => {
    button.closest('details')?.removeAttribute('open');
    await call('POST', `${api}/${button.dataset.act}`);
    if (button.dataset.then === 'reload') location.reload();
    notice('Done: the stage above tells how it goes on.');
  }));
}

const duplicate = document.querySelector('[data-duplicate]');
onSubmit(duplicate, async (data) => {
  const repository = `${data.get('owner')}/${data.get('name')}`;
  await call('POST', `${api}/duplicate`, { repository, private: data.get('private') === 'on' });
  location.assign(`/spaces/${repository}`);
});
