// The form that starts a job: its keys, and where one is after its answer came.

const apple = /Mac|iPhone|iPad/.test(navigator.platform)
let wasAt = '' // the id of what had the focus when the form was sent
let wasOpen = false // whether "More options" was open

function dress() {
  if (apple) document.querySelectorAll('#composer kbd').forEach((keys) => { keys.textContent = '⌘ ↵' })
}

dress()

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return
  const form = event.target.closest?.('#composer')
  if (!form) return
  event.preventDefault()
  form.requestSubmit(form.querySelector('#start'))
})

document.body.addEventListener('htmx:beforeRequest', ({ detail }) => {
  // The word about what was made before is asked for from within the form, but leaves the form where it is.
  const form = detail.target
  if (form?.id !== 'composer') return
  wasAt = document.activeElement?.id ?? ''
  wasOpen = form.querySelector('#more')?.open ?? false
})

document.body.addEventListener('htmx:afterSwap', () => {
  const form = document.getElementById('composer')
  if (!form || form.dataset.dressed) return
  form.dataset.dressed = 'yes'
  dress()
  const more = form.querySelector('#more')
  if (more && wasOpen) more.open = true
  if (form.dataset.say) document.getElementById('said').textContent = form.dataset.say
  const wrong = form.querySelector('[aria-invalid="true"]') ?? form.querySelector('.refusal')
  const to = wrong ?? document.getElementById(wasAt)
  to?.focus({ preventScroll: !wrong })
})
