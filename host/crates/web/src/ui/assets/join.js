// Says while a name is typed whether it can be had, and that two passwords differ.

const TYPING_PAUSE = 300;
const form = document.getElementById('join');
const { name, password, again } = form.elements;
const reserved = name.dataset.reserved.split(' ');
const note = document.getElementById('name-note');
const hint = note.innerHTML;
let waiting;
let asked = 0;

async function isThere(wanted) {
  const found = ['users', 'organizations'].map((kind) => fetch(`/api/${kind}/${encodeURIComponent(wanted)}/overview`));
  return (await Promise.all(found)).some((answer) => answer.ok);
}

async function check() {
  const number = ++asked;
  const wanted = name.value.trim();
  if (!wanted || !name.checkValidity()) return;
  if (reserved.includes(wanted.toLowerCase())) {
    note.textContent = `${wanted} is a name that this host needs for itself.`;
    name.setCustomValidity('This name is reserved');
    return;
  }
  // Without an answer the form is sent as it is, and the host decides.
  const taken = await isThere(wanted).catch(() => undefined);
  if (number !== asked || taken === undefined) return;
  note.textContent = taken ? `${wanted} is there already.` : `${wanted} is free.`;
  name.setCustomValidity(taken ? 'This name is taken' : '');
}

name.addEventListener('input', () => {
  asked++;
  name.setCustomValidity('');
  note.innerHTML = hint;
  clearTimeout(waiting);
  waiting = setTimeout(check, TYPING_PAUSE);
});

for (const field of [password, again]) {
  field.addEventListener('input', () => {
    again.setCustomValidity(again.value && again.value !== password.value ? 'The two passwords differ' : '');
  });
}
