// The form that starts a job: shortcuts, input and focus that survive a change of tool, and responses to a start.

import { fill, save } from './form-memory.js'
import { isSignIn, showSignedOut } from './session.js'
import { UNREACHED, messageFor, showToast } from './toast.js'

const apple = /Mac|iPhone|iPad/.test(navigator.platform)
const starts = new WeakMap() // for each form being sent: its content, and whether input made meanwhile is to be started next
let lastFocus = null // id and cursor of the focused control when the form was sent or replaced
let wasOpen = false // whether "More options" was open

const contents = (form) => new URLSearchParams(new FormData(form)).toString()

function showKeys() {
  if (apple)
    document.querySelectorAll('#composer kbd').forEach((keys) => {
      keys.textContent = '⌘ ↵'
    })
}

showKeys()

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

function remember(form) {
  const { activeElement: at } = document
  if (form.contains(at) && at.id) lastFocus = { id: at.id, from: at.selectionStart, to: at.selectionEnd }
  wasOpen = form.querySelector('#more')?.open ?? false
}

document.body.addEventListener('htmx:beforeSend', ({ detail }) => {
  // The hint about an earlier result is requested from within the form, but does not replace the form.
  if (!isStart(detail)) return
  const form = detail.target
  lastFocus = null
  remember(form)
  save(form)
  const start = { sent: contents(form), next: false, isLeft: false }
  starts.set(form, start)
  // If the form has left the page, htmx does not report the response.
  detail.xhr.addEventListener('loadend', () => {
    if (start.isLeft) report(detail.xhr)
  })
})

// --- another tool -----------------------------------------------------------------------------------------

// Input made until the other form arrives is carried over.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  if (!detail.shouldSwap || !isSwitch(detail)) return
  const form = detail.target
  remember(form)
  save(form)
  if (starts.has(form)) starts.get(form).isLeft = true
})

// Back and Forward between tools replace only the form, as the links do.
addEventListener(
  'popstate',
  (event) => {
    if (!event.state?.htmx || !document.querySelector('#composer[hx-post]')) return
    event.stopImmediatePropagation() // htmx would reload the page
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
  if (!xhr.status) return showToast(UNREACHED)
  if (isSignIn(xhr.responseURL)) return showSignedOut('start the job again')
  const form = formOf(xhr.responseText)
  if (form) announceOutcome(form)
  else showToast(messageFor(xhr.status))
}

// The fields may be out of view by now, so errors are announced.
function announceOutcome(form) {
  const words = [
    ...form.querySelectorAll('.field-problem, .tool-form-refusal p:first-child, .notice[role="alert"]'),
  ].map(wordsOf)
  if (words.length) showToast(`Not started. ${words.join(' ')}`)
  else say(form.dataset.say)
}

const text = (element) => element?.textContent.trim().replace(/\s+/g, ' ') ?? ''

function wordsOf(problem) {
  const words = text(problem)
  const label = text(problem.closest('.field')?.querySelector('label, legend'))
  return words.startsWith(label) ? words : `${label}: ${words}`
}

// --- the response to a start ------------------------------------------------------------------------------

// If the form was changed while it was sent, the returned form would undo that: only its messages and key are used.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const form = detail.target
  if (!detail.shouldSwap || !isStart(detail) || !form.isConnected) return
  remember(form)
  if (contents(form) === starts.get(form)?.sent && !form.querySelector('.tool-field-uploading')) return
  const answer = formOf(detail.serverResponse)
  if (!answer) return
  detail.shouldSwap = false
  form.elements.key.value = answer.elements.key.value
  announceOutcome(answer)
  copyMessages(form, answer)
})

function copyMessages(form, answer) {
  form
    .querySelectorAll('.tool-form-started, .tool-form-refusal, .field-problem, .tool-form-groups ~ .notice')
    .forEach((message) => message.remove())
  form.querySelectorAll('.field-invalid').forEach((field) => field.classList.remove('field-invalid'))
  form.querySelectorAll('[aria-invalid]').forEach((control) => control.removeAttribute('aria-invalid'))
  form
    .querySelector('.field-list')
    .before(...answer.querySelectorAll('.tool-form-started, .tool-form-refusal, .tool-form-groups ~ .notice'))
  // Both forms are of the same tool, so their fields are in the same order.
  const fields = form.querySelectorAll('.field')
  answer.querySelectorAll('.field').forEach((wrong, index) => {
    if (wrong.matches('.field-invalid') && fields[index]) showError(fields[index], wrong)
  })
  if (form.querySelector('#more .field-invalid')) form.querySelector('#more').open = true
}

function showError(field, wrong) {
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
  // After a rejection the person decides what to do next.
  const startsNext =
    starts.get(form)?.next &&
    detail.successful &&
    detail.xhr.status < 400 &&
    !isSignIn(detail.xhr.responseURL) &&
    form.isConnected
  starts.delete(form)
  if (startsNext) setTimeout(launch, 0, form) // htmx must finish this request first
})

function say(message) {
  if (message) document.getElementById('said').textContent = message
}

// Swaps of other parts of the page leave the form and its focus alone.
const isReady = new WeakSet([document.getElementById('composer')].filter(Boolean))

document.body.addEventListener('htmx:afterSwap', ({ detail }) => {
  const form = document.getElementById('composer')
  if (!form || isReady.has(form)) return
  isReady.add(form)
  showKeys()
  const more = form.querySelector('#more')
  if (more && wasOpen) more.open = true
  if (isSwitch(detail)) fill(form)
  say(form.dataset.say)
  const wrong = form.querySelector('[aria-invalid="true"]') ?? form.querySelector('.tool-form-refusal')
  if (wrong) wrong.focus()
  else restoreFocus(lastFocus)
})

function restoreFocus(place) {
  const to = place && document.getElementById(place.id)
  if (!to) return
  to.focus({ preventScroll: true })
  if (place.to != null) to.setSelectionRange(place.from, place.to)
}
