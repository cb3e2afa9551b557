// A filter chosen with the mouse or a finger applies at once. By keyboard it waits for Enter or "Show", since
// arrow keys pass over choices that are not meant.

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
  // Empty choices stay out of the address.
  for (const choice of form.elements)
    if (choice.name && (!choice.value || choice.hasAttribute('data-empty'))) choice.disabled = true
})
addEventListener('pageshow', () => {
  for (const choice of form?.elements ?? []) choice.disabled = false
})
