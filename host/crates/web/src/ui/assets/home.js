// The list of Spaces: searched as one types, its badges kept as things are.

import { tellTimes } from './page.js';

const TYPING_PAUSE = 250;
const REFRESH = 10000;

const form = document.getElementById('find');
let asked = 0;
let waiting;

async function fetched(address) {
  const response = await fetch(address, { headers: { accept: 'text/html' } });
  if (!response.ok) return undefined;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  return page.getElementById('results');
}

async function search() {
  const number = ++asked;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''));
  const address = `${location.pathname}?${query}`;
  const found = await fetched(address).catch(() => undefined);
  // Of answers that overtake each other the last question's counts.
  if (!found || number !== asked) return;
  document.getElementById('results').replaceChildren(...found.childNodes);
  tellTimes(document.getElementById('results'));
  history.replaceState(null, '', query.size ? address : location.pathname);
}

form.addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, TYPING_PAUSE);
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  search();
});

setInterval(async () => {
  if (document.hidden) return;
  const fresh = await fetched(location.href).catch(() => undefined);
  for (const card of fresh?.querySelectorAll('.card') ?? []) {
    const here = document.querySelector(`.card[data-space="${CSS.escape(card.dataset.space)}"] .badge`);
    const now = card.querySelector('.badge');
    if (here && here.dataset.stage !== now.dataset.stage) here.replaceWith(now);
  }
}, REFRESH);
