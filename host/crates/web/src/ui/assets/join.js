// Says whether the name that is typed can be had, and that two passwords differ.

import { checkName } from './name.js';

const form = document.getElementById('join');
const { password, again } = form.elements;

checkName(form, ['name']);

for (const field of [password, again]) {
  field.addEventListener('input', () => {
    again.setCustomValidity(again.value && again.value !== password.value ? 'The two passwords differ' : '');
  });
}
