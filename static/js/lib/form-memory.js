// What was typed for one tool, for the next one that asks for the same. Kept by this page alone, as long as it is open.

import { isChanged } from './form-changes.js'

const kept = new Map() // name of a field -> what it holds

const isOne = (control) =>
  control.name &&
  control.type !== 'hidden' &&
  control.type !== 'file' &&
  !control.closest('[data-files], .tool-field-pairs')
const group = (control) => [...control.form.elements].filter((each) => each.name === control.name)

// A text is kept, whoever wrote it; of everything else what differs from what the tool itself proposes.
function isWorthIt(control) {
  if (kept.has(control.name)) return true
  if (control.type.startsWith('text')) return control.value !== ''
  return control.type === 'radio' ? group(control).some(isChanged) : isChanged(control)
}

export function keep(form) {
  for (const control of form.elements) {
    if (!isOne(control) || (control.type === 'radio' && !control.checked) || !isWorthIt(control)) continue
    kept.set(control.name, control.type === 'checkbox' ? control.checked : control.value)
  }
  for (const field of form.querySelectorAll('[data-files]')) {
    const tiles = [...field.querySelectorAll('.tool-field-option:has(input:checked)')]
    if (tiles.length || kept.has(field.dataset.name))
      kept.set(
        field.dataset.name,
        tiles.map((tile) => tile.cloneNode(true)),
      )
  }
  const pairs = form.querySelector('.tool-field-pairs')
  if (pairs) kept.set('.tool-field-pairs', [...pairs.children])
}

export function fill(form) {
  for (const control of form.elements) {
    if (!isOne(control) || !kept.has(control.name)) continue
    const value = kept.get(control.name)
    if (control.type === 'checkbox') control.checked = value
    else if (control.type === 'radio') choose(control, value)
    else if (control.type === 'select-one') takes(control, value)
    else if (control.type === 'number') fits(control, value)
    else control.value = value
  }
  for (const field of form.querySelectorAll('[data-files]')) {
    for (const tile of (kept.get(field.dataset.name) ?? []).toReversed()) place(field, tile.cloneNode(true))
  }
  if (kept.has('.tool-field-pairs'))
    form.querySelector('.tool-field-pairs')?.replaceChildren(...kept.get('.tool-field-pairs'))
}

// Its field shows which one is chosen, and is told so.
function choose(radio, value) {
  if (radio.value !== value || radio.checked) return
  radio.checked = true
  radio.dispatchEvent(new Event('change', { bubbles: true }))
}

function takes(select, value) {
  if ([...select.options].some((option) => option.value === value)) select.value = value
}

// A number that this tool would refuse gives way to its own.
function fits(input, value) {
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
  if (chosen >= Number(field.dataset.most)) return
  if (!there) field.querySelector('.tool-field-options').prepend(tile)
  ;(there ?? tile.querySelector('input')).checked = true
}
