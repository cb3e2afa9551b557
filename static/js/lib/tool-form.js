// The form that starts a job: its keys, what stays in it when another one takes its place, and where one is then.

import { fill, keep } from './form-memory.js'
import { isSignIn, sayItIsOver } from './session.js'
import { UNREACHED, tell, wordsFor } from './toast.js'

const apple = /Mac|iPhone|iPad/.test(navigator.platform)
const starts = new WeakMap() // of each form that is under way: what it held, and whether what was typed meanwhile is to be started, too
let wasAt = null // what had the focus when the form was sent or replaced: its id, and the cursor in it
let wasOpen = false // whether "More options" was open

const contents = (form) => new URLSearchParams(new FormData(form)).toString()

function dress() {
  if (apple)
    document.querySelectorAll('#composer kbd').forEach((keys) => {
      keys.textContent = '⌘ ↵'
    })
}

dress()

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return
  const form = event.target.closest?.('#composer')
  if (!form) return
  event.preventDefault()
  const start = starts.get(form)
  if (start) start.next = contents(form) !== start.sent
  else launch(form)
})

function launch(form) {
  form.requestSubmit(form.querySelector('#start'))
}

const isStart = ({ target, requestConfig }) => target?.id === 'composer' && requestConfig.verb === 'post'
const isSwitch = ({ target, requestConfig }) => target?.id === 'composer' && requestConfig.verb === 'get'

function mark(form) {
  const { activeElement: at } = document
  if (form.contains(at) && at.id) wasAt = { id: at.id, from: at.selectionStart, to: at.selectionEnd }
  wasOpen = form.querySelector('#more')?.open ?? false
}

document.body.addEventListener('htmx:beforeSend', ({ detail }) => {
  // The word about what was made before is asked for from within the form, but leaves the form where it is.
  if (!isStart(detail)) return
  const form = detail.target
  wasAt = null
  mark(form)
  keep(form)
  const start = { sent: contents(form), next: false, isLeft: false }
  starts.set(form, start)
  // Where the form is no longer on the page, htmx says the answer to nobody.
  detail.xhr.addEventListener('loadend', () => {
    if (start.isLeft) report(detail.xhr)
  })
})

// --- another tool -----------------------------------------------------------------------------------------

// What is typed until the other form is there comes along.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  if (!detail.shouldSwap || !isSwitch(detail)) return
  const form = detail.target
  mark(form)
  keep(form)
  if (starts.has(form)) starts.get(form).isLeft = true
})

// Back and Forward between tools leave the page where it is, as the links do.
addEventListener(
  'popstate',
  (event) => {
    if (!event.state?.htmx || !document.querySelector('#composer[hx-post]')) return
    event.stopImmediatePropagation() // htmx would load the page anew
    htmx
      .ajax('GET', location.pathname + location.search, {
        target: '#composer',
        select: '#composer',
        swap: 'outerHTML',
      })
      .catch(() => {})
  },
  { capture: true },
)

const formOf = (answer) => new DOMParser().parseFromString(answer, 'text/html').getElementById('composer')

function report(xhr) {
  if (!xhr.status) return tell(UNREACHED)
  if (isSignIn(xhr.responseURL)) return sayItIsOver('start it again')
  const form = formOf(xhr.responseText)
  if (form) sayWhatCameOfIt(form)
  else tell(wordsFor(xhr.status))
}

// Nobody is at the fields by now, or sees all of them.
function sayWhatCameOfIt(form) {
  const words = [
    ...form.querySelectorAll('.field-problem, .tool-form-refusal p:first-child, .notice[role="alert"]'),
  ].map(wordsOf)
  if (words.length) tell(`It was not started. ${words.join(' ')}`)
  else say(form.dataset.say)
}

const text = (element) => element?.textContent.trim().replace(/\s+/g, ' ') ?? ''

function wordsOf(problem) {
  const words = text(problem)
  const label = text(problem.closest('.field')?.querySelector('label, legend'))
  return words.startsWith(label) ? words : `${label}: ${words}`
}

// --- an answer to a start ---------------------------------------------------------------------------------

// Where the form was changed while it was under way, the answer's form would undo that: only its words and its key are taken.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const form = detail.target
  if (!detail.shouldSwap || !isStart(detail) || !form.isConnected) return
  mark(form)
  if (contents(form) === starts.get(form)?.sent && !form.querySelector('.tool-field-uploading')) return
  const answer = formOf(detail.serverResponse)
  if (!answer) return
  detail.shouldSwap = false
  form.elements.key.value = answer.elements.key.value
  sayWhatCameOfIt(answer)
  takeWords(form, answer)
})

function takeWords(form, answer) {
  form
    .querySelectorAll('.tool-form-started, .tool-form-refusal, .field-problem, .tool-form-shelves ~ .notice')
    .forEach((word) => word.remove())
  form.querySelectorAll('.field-invalid').forEach((field) => field.classList.remove('field-invalid'))
  form.querySelectorAll('[aria-invalid]').forEach((control) => control.removeAttribute('aria-invalid'))
  form
    .querySelector('.field-list')
    .before(
      ...answer.querySelectorAll('.tool-form-started, .tool-form-refusal, .tool-form-shelves ~ .notice'),
    )
  // Both are forms of the same tool: their fields stand in the same order.
  const fields = form.querySelectorAll('.field')
  answer.querySelectorAll('.field').forEach((wrong, index) => {
    if (wrong.matches('.field-invalid') && fields[index]) accuse(fields[index], wrong)
  })
  if (form.querySelector('#more .field-invalid')) form.querySelector('#more').open = true
}

function accuse(field, wrong) {
  field.classList.add('field-invalid')
  const problem = wrong.querySelector('.field-problem')
  const help = field.querySelector(':scope > .field-help:last-child')
  if (help) help.before(problem)
  else field.append(problem)
  for (const control of field.querySelectorAll('input, select, textarea')) {
    if (!wrong.querySelector(`[aria-invalid][name="${control.name}"]`)) continue
    control.setAttribute('aria-invalid', 'true')
    if (problem.id)
      control.setAttribute(
        'aria-describedby',
        [problem.id, field.querySelector(':scope > .field-help')?.id].filter(Boolean).join(' '),
      )
  }
}

document.body.addEventListener('htmx:afterRequest', ({ detail }) => {
  if (!isStart(detail)) return
  const form = detail.target
  // After a refusal the person decides what comes next.
  const goesOn =
    starts.get(form)?.next &&
    detail.successful &&
    detail.xhr.status < 400 &&
    !isSignIn(detail.xhr.responseURL) &&
    form.isConnected
  starts.delete(form)
  if (goesOn) setTimeout(launch, 0, form) // htmx takes the next one when it is done with this one
})

function say(words) {
  if (words) document.getElementById('said').textContent = words
}

document.body.addEventListener('htmx:afterSwap', ({ detail }) => {
  const form = document.getElementById('composer')
  if (!form || form.dataset.dressed) return
  form.dataset.dressed = 'yes'
  dress()
  const more = form.querySelector('#more')
  if (more && wasOpen) more.open = true
  if (isSwitch(detail)) fill(form)
  say(form.dataset.say)
  const wrong = form.querySelector('[aria-invalid="true"]') ?? form.querySelector('.tool-form-refusal')
  if (wrong) wrong.focus()
  else goTo(wasAt)
})

function goTo(place) {
  const to = place && document.getElementById(place.id)
  if (!to) return
  to.focus({ preventScroll: true })
  if (place.to != null) to.setSelectionRange(place.from, place.to)
}
