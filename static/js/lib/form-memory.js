// Carries input from one tool's form to the next one that has the same fields. Stored by this page while it is open.

import { isChanged } from './form-changes.js'

const stored = new Map() // field name -> value

const isCarried = (control) =>
  control.name &&
  control.type !== 'hidden' &&
  control.type !== 'file' &&
  !control.closest('[data-files], .tool-field-pairs')
const group = (control) => [...control.form.elements].filter((each) => each.name === control.name)

// Any text is carried over; other controls only if their value differs from the tool's default.
function isWorthStoring(control) {
  if (stored.has(control.name)) return true
  if (control.type.startsWith('text')) return control.value !== ''
  return control.type === 'radio' ? group(control).some(isChanged) : isChanged(control)
}

export function save(form) {
  for (const control of form.elements) {
    if (!isCarried(control) || (control.type === 'radio' && !control.checked) || !isWorthStoring(control))
      continue
    stored.set(control.name, control.type === 'checkbox' ? control.checked : control.value)
  }
  for (const field of form.querySelectorAll('[data-files]')) {
    const tiles = [...field.querySelectorAll('.tool-field-option:has(input:checked)')]
    if (tiles.length || stored.has(field.dataset.name))
      stored.set(
        field.dataset.name,
        tiles.map((tile) => tile.cloneNode(true)),
      )
  }
  const pairs = form.querySelector('.tool-field-pairs')
  if (pairs) stored.set('.tool-field-pairs', [...pairs.children])
}

export function fill(form) {
  for (const control of form.elements) {
    if (!isCarried(control) || !stored.has(control.name)) continue
    const value = stored.get(control.name)
    if (control.type === 'checkbox') control.checked = value
    else if (control.type === 'radio') choose(control, value)
    else if (control.type === 'select-one') selectIfOffered(control, value)
    else if (control.type === 'number') setIfValid(control, value)
    else control.value = value
  }
  for (const field of form.querySelectorAll('[data-files]')) {
    for (const tile of (stored.get(field.dataset.name) ?? []).toReversed()) place(field, tile.cloneNode(true))
  }
  if (stored.has('.tool-field-pairs'))
    form.querySelector('.tool-field-pairs')?.replaceChildren(...stored.get('.tool-field-pairs'))
}

// The change event makes its field show which one is selected.
function choose(radio, value) {
  if (radio.value !== value || radio.checked) return
  radio.checked = true
  radio.dispatchEvent(new Event('change', { bubbles: true }))
}

function selectIfOffered(select, value) {
  if ([...select.options].some((option) => option.value === value)) select.value = value
}

// A number that is invalid for this tool is replaced by the tool's default.
function setIfValid(input, value) {
  const before = input.value
  input.value = value
  if (!input.validity.valid) input.value = before
}

function place(field, tile) {
  const value = tile.querySelector('input').value
  const there = [...field.querySelectorAll('.tool-field-options input')].find(
    (input) => input.value === value,
  )
  const chosen = field.querySelectorAll('.tool-field-options input:checked').length
  if (chosen >= Number(field.dataset.maxFiles)) return
  if (!there) field.querySelector('.tool-field-options').prepend(tile)
  ;(there ?? tile.querySelector('input')).checked = true
}
