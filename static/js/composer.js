// The form that starts a job: its keys, and where one is after its answer came.

const apple = /Mac|iPhone|iPad/.test(navigator.platform)
let wasAt = '' // the id of what had the focus when the form was sent
let wasOpen = false // whether "More options" was open
let sent = null // what is in the form that is under way; null while none is
let next = false // whether what was typed meanwhile is to be started, too

const contents = (form) => new URLSearchParams(new FormData(form)).toString()

function dress() {
  if (apple) document.querySelectorAll('#composer kbd').forEach((keys) => { keys.textContent = '⌘ ↵' })
}

dress()

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return
  const form = event.target.closest?.('#composer')
  if (!form) return
  event.preventDefault()
  if (sent !== null) next = contents(form) !== sent
  else launch(form)
})

function launch(form) {
  form.requestSubmit(form.querySelector('#start'))
}

const isStart = ({ target, requestConfig }) => target?.id === 'composer' && requestConfig.verb === 'post'

document.body.addEventListener('htmx:beforeRequest', ({ detail }) => {
  // The word about what was made before is asked for from within the form, but leaves the form where it is.
  const form = detail.target
  if (form?.id !== 'composer') return
  wasAt = document.activeElement?.id ?? ''
  wasOpen = form.querySelector('#more')?.open ?? false
  if (isStart(detail)) sent = contents(form)
})

// Where the form was changed while it was under way, the answer's form would undo that: only its word and its key are taken.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const form = detail.target
  if (!detail.shouldSwap || !isStart(detail) || !form.isConnected || contents(form) === sent) return
  const answer = new DOMParser().parseFromString(detail.serverResponse, 'text/html').getElementById('composer')
  if (!answer || answer.querySelector('[aria-invalid="true"]')) return
  detail.shouldSwap = false
  form.elements.key.value = answer.elements.key.value
  form.querySelectorAll('.started, .refusal, .problem').forEach((word) => word.remove())
  form.querySelectorAll('.bad').forEach((field) => field.classList.remove('bad'))
  form.querySelectorAll('[aria-invalid]').forEach((field) => field.removeAttribute('aria-invalid'))
  const word = answer.querySelector('.started, .refusal')
  if (word) form.querySelector('.fields').before(word)
  say(answer)
})

document.body.addEventListener('htmx:afterRequest', ({ detail }) => {
  if (!isStart(detail)) return
  // After a refusal the person decides what comes next.
  const goesOn = next && detail.successful && detail.target.isConnected
  sent = null
  next = false
  if (goesOn) setTimeout(launch, 0, detail.target) // htmx takes the next one when it is done with this one
})

function say(form) {
  if (form.dataset.say) document.getElementById('said').textContent = form.dataset.say
}

document.body.addEventListener('htmx:afterSwap', () => {
  const form = document.getElementById('composer')
  if (!form || form.dataset.dressed) return
  form.dataset.dressed = 'yes'
  dress()
  const more = form.querySelector('#more')
  if (more && wasOpen) more.open = true
  say(form)
  const wrong = form.querySelector('[aria-invalid="true"]') ?? form.querySelector('.refusal')
  const to = wrong ?? document.getElementById(wasAt)
  to?.focus({ preventScroll: !wrong })
})
