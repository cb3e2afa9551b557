// A filter selected by mouse or touch applies at once. By keyboard it waits for Enter or "Show", because arrow keys
// pass over other options.

let pointed = false
const form = document.querySelector('form.filter-bar')

form?.addEventListener('pointerdown', () => {
  pointed = true
})
form?.addEventListener('keydown', () => {
  pointed = false
})
form?.addEventListener('change', ({ target }) => {
  if (pointed && target.localName === 'select') form.requestSubmit()
})
form?.addEventListener('submit', () => {
  // Empty values stay out of the URL.
  for (const choice of form.elements)
    if (choice.name && (!choice.value || choice.hasAttribute('data-empty'))) choice.disabled = true
})
addEventListener('pageshow', () => {
  for (const choice of form?.elements ?? []) choice.disabled = false
})
