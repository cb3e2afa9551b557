// Buttons that copy the text of an element. Hidden until this script is loaded.

const SHOWN_FOR = 2000 // ms
const timers = new WeakMap() // for each button that shows what it did

function enhance() {
  for (const button of document.querySelectorAll('[data-copy][hidden]')) button.hidden = false
}

document.addEventListener('click', async ({ target }) => {
  const button = target.closest?.('[data-copy]')
  if (!button) return
  const source = document.getElementById(button.dataset.copy)
  try {
    await navigator.clipboard.writeText(source.textContent)
    button.dataset.done = ''
    recordCopy(button.closest('[data-copied]')?.dataset.copied)
    showOutcome(button, 'Copied')
  } catch {
    // There is no clipboard without HTTPS: select the text, so that it can be copied by hand.
    getSelection().selectAllChildren(source)
    showOutcome(button, 'Selected')
  }
})

function showOutcome(button, word) {
  const label = button.querySelector('span')
  label.textContent = word
  document.getElementById('said').textContent = word
  clearTimeout(timers.get(button))
  timers.set(
    button,
    setTimeout(() => {
      label.textContent = 'Copy'
      delete button.dataset.done
    }, SHOWN_FOR),
  )
}

// Copying a public link writes an audit entry.
function recordCopy(url) {
  if (!url) return
  const token = document.querySelector('#csrf [name=csrfmiddlewaretoken]').value
  fetch(url, { method: 'POST', headers: { 'X-CSRFToken': token }, keepalive: true })
}

document.body.addEventListener('htmx:afterSwap', enhance)
enhance()
