// Says while a name is typed whether it can be had. The page itself tells: of a name that nobody has, the API's answer is an
// error, which browsers log as one.

const TYPING_PAUSE = 300;

// `fields` are those that the name is made of, the last of which is what is typed.
export function checkName(form, fields) {
  const name = form.elements[fields.at(-1)];
  const note = document.getElementById('name-note');
  const hint = [...note.childNodes];
  let waiting;
  let asked = 0;

  async function check() {
    const number = ++asked;
    if (!name.value.trim() || !name.checkValidity()) {
      note.replaceChildren(...hint);
      return;
    }
    const query = new URLSearchParams(fields.map((field) => [field, form.elements[field].value.trim()]));
    // Without an answer the form is sent as it is, and the host decides.
    const response = await fetch(`${location.pathname}?${query}`, { headers: { accept: 'text/html' } }).catch(() => undefined);
    if (number !== asked || !response?.ok) return;
    const told = new DOMParser().parseFromString(await response.text(), 'text/html').getElementById('name-note');
    if (number !== asked || !told) return;
    note.textContent = told.textContent;
    name.setCustomValidity('taken' in told.dataset ? 'This name is taken' : '');
  }

  form.addEventListener('input', ({ target }) => {
    if (!fields.includes(target.name)) return;
    asked++;
    name.setCustomValidity('');
    clearTimeout(waiting);
    waiting = setTimeout(check, TYPING_PAUSE);
  });
}
