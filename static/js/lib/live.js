// Live updates: applies the fragments of each socket message, shows the state of the connection, and polls while it is
// down. The socket itself is htmx's (hx-ext="ws" on the body); every fragment names its own target.

import './session.js' // its listeners must be registered first

const body = document.body
const POLL_INTERVAL = 4000 // ms, while the socket is down
const regions = '[data-region]' // elements that refetch themselves
const answers = '[data-answers]' // elements whose requests return fragments

// --- the connection ---------------------------------------------------------------------------------------

// Doubles from 0.5 to 3 seconds, with jitter, so that pages do not reconnect all at once.
htmx.config.wsReconnectDelay = (tries) => Math.min(3000, 500 * 2 ** tries) * (0.6 + 0.4 * Math.random())

let pollTimer = null

function poll() {
  htmx.trigger(body, 'rushes:refetch')
}

// Throttles polls; the last change is always included.
let pendingPoll = null

function pollSoon() {
  pendingPoll ??= setTimeout(() => {
    pendingPoll = null
    poll()
  }, 400)
}

function startPolling() {
  if (pollTimer === null) {
    pollTimer = setInterval(() => {
      body.dataset.live = 'down'
      poll()
    }, POLL_INTERVAL)
  }
}

function stopPolling() {
  clearInterval(pollTimer)
  pollTimer = null
  body.dataset.live = 'up'
  delete body.dataset.reach
}

function pollNow() {
  if (body.dataset.live !== 'up' && !document.hidden) poll()
}

if (body.hasAttribute('ws-connect')) {
  startPolling() // until the socket opens
  body.addEventListener('htmx:wsOpen', stopPolling)
  body.addEventListener('htmx:wsClose', startPolling)
  body.addEventListener('htmx:wsClose', () => {
    if (body.dataset.live === 'up') body.dataset.live = 'lost'
  })
  addEventListener('online', pollNow)
  document.addEventListener('visibilitychange', pollNow)
}

// --- messages ---------------------------------------------------------------------------------------------

// While a region is being fetched, messages are held back: the response may be older.
let fetching = 0
let held = []
// The socket opened during a fetch. htmx drops what the event triggers when the response replaces the region, and the
// response may be older than the socket, so everything is fetched again.
let isOutdated = false

document.addEventListener(
  'htmx:wsOpen',
  () => {
    isOutdated = fetching > 0
  },
  { capture: true }, // before the event triggers fetches
)

const changesThePage = (element) => element.matches?.(`${regions}, ${answers}`)

body.addEventListener('htmx:beforeRequest', (event) => {
  const { elt, xhr } = event.detail
  if (!changesThePage(elt)) return
  // Another response may replace the element before its own arrives. htmx dispatches the remaining events on the
  // element only, so listen to the request itself, and dispatch on the body.
  if (elt.matches(answers)) event.detail.target = body
  fetching += 1
  xhr.addEventListener(
    'loadend',
    () => {
      fetching -= 1
      if (fetching === 0) {
        held.splice(0).forEach(apply)
        if (isOutdated) pollSoon()
        isOutdated = false
      }
      if (xhr.status >= 200 && xhr.status < 400) delete body.dataset.reach
    },
    { once: true },
  )
})

body.addEventListener('htmx:afterRequest', (event) => {
  // Without a socket, show the effect of the user's own action at once.
  if (event.detail.requestConfig.verb === 'post') pollNow()
})

body.addEventListener('htmx:wsBeforeMessage', (event) => {
  event.preventDefault() // it is applied here, fragment by fragment
  if (fetching) held.push(event.detail.message)
  else apply(event.detail.message)
})

body.addEventListener('htmx:beforeSwap', (event) => {
  const { requestConfig, xhr } = event.detail
  if (requestConfig.elt.matches?.(answers) && event.detail.shouldSwap) {
    event.detail.shouldSwap = false
    apply(xhr.response)
  } else if (
    requestConfig.elt.matches?.(regions) &&
    event.detail.shouldSwap &&
    isUnchanged(requestConfig.elt, xhr.response)
  ) {
    // Common after the socket opens. Not swapping keeps elements in place that the user is about to click.
    event.detail.shouldSwap = false
  }
})

function isUnchanged(region, answer) {
  if (region.hasAttribute('hx-select-oob')) return false // the response contains more
  const fresh = new DOMParser().parseFromString(answer, 'text/html').getElementById(region.id)
  return fresh !== null && plain(fresh).isEqualNode(plain(region))
}

// A copy without what may differ between equal contents: the swap target, tokens, times as scripts format them,
// checkboxes that scripts show, and htmx's classes.
function plain(element) {
  const copy = element.cloneNode(true)
  copy.removeAttribute('hx-swap-oob')
  for (const token of copy.querySelectorAll('[name="csrfmiddlewaretoken"]')) token.removeAttribute('value')
  for (const time of copy.querySelectorAll('time')) {
    time.replaceChildren()
    time.removeAttribute('title')
  }
  for (const box of copy.querySelectorAll('.history-box[hidden]')) box.hidden = false
  for (const each of [copy, ...copy.querySelectorAll('[class*="htmx-"]')]) {
    each.classList.remove('htmx-request', 'htmx-added', 'htmx-settling', 'htmx-swapping')
  }
  return copy
}

function apply(message) {
  for (const fragment of fragmentsOf(message)) {
    if ('refetch' in fragment.dataset) {
      pollSoon()
      continue
    }
    const targets = targetsOf(fragment)
    if (!targets.length) continue // not on this page
    keepMarks(fragment, targets[0])
    if (isShown(fragment, targets[0])) continue // keep unchanged buttons in place, under the finger
    if (swapStyleOf(fragment).startsWith('afterbegin')) arrive(fragment)
    htmx.swap(body, fragment.outerHTML, { swapStyle: 'none', swapDelay: 0, settleDelay: 0 })
  }
}

// A message may mix table parts and other elements. The leading tbody puts the parser into a mode that accepts both.
// It wraps bare rows in a tbody, which is removed again.
function fragmentsOf(message) {
  const template = document.createElement('template')
  template.innerHTML = `<tbody></tbody>${message}`
  return [...template.content.children].flatMap((element) =>
    element.localName === 'tbody' && !element.attributes.length ? [...element.children] : [element],
  )
}

// Messages are the same for all users. Search hits are marked on this page only, where long prompts are cut to begin
// shortly before the first one.
function keepMarks(fragment, target) {
  for (const mark of target.querySelectorAll('a[id^="see-"] > mark:first-of-type')) {
    const before = mark.parentElement
    const now = fragment.querySelector(`#${CSS.escape(before.id)}`)
    if (!now) continue
    const isSameQuery = before.dataset.of && now.dataset.of === before.dataset.of
    if (isSameQuery || now.textContent === before.textContent)
      now.replaceChildren(...before.cloneNode(true).childNodes)
  }
}

function isShown(fragment, target) {
  if (swapStyleOf(fragment) !== 'true') return false
  return plain(fragment).isEqualNode(plain(target))
}

function swapStyleOf(fragment) {
  return fragment.getAttribute('hx-swap-oob') ?? 'true'
}

function targetsOf(fragment) {
  const [, selector] = swapStyleOf(fragment).match(/^[a-z]+:(.+)$/i) ?? []
  return document.querySelectorAll(selector ?? `#${CSS.escape(fragment.id)}`)
}

function arrive(fragment) {
  for (const element of fragment.children) {
    element.classList.add('arrives')
    if (element.dataset.say) announce(element.dataset.say)
  }
}

// Announces text to screen readers.
function announce(text) {
  document.getElementById('said').textContent = text
}
