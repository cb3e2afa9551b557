// Live updates: takes each message of the socket apart, says how the connection stands, asks when it is down.
// The socket itself is htmx's (hx-ext="ws" on the body); every fragment names its own target.

import './session.js' // it hears of every answer first

const body = document.body
const ASK_EVERY = 4000 // ms, while the socket is down
const regions = '[data-region]' // they refetch what they show
const answers = '[data-answers]' // their requests are answered with fragments

// --- the connection ---------------------------------------------------------------------------------------

// Doubles from half a second to three, each time somewhat by chance, so that pages do not come back as one.
htmx.config.wsReconnectDelay = (tries) => Math.min(3000, 500 * 2 ** tries) * (0.6 + 0.4 * Math.random())

let asking = null

function ask() {
  htmx.trigger(body, 'rushes:ask')
}

// What changes often is asked for now and then, the last change included.
let soon = null

function askSoon() {
  soon ??= setTimeout(() => {
    soon = null
    ask()
  }, 400)
}

function goDown() {
  if (asking === null) {
    asking = setInterval(() => {
      body.dataset.live = 'down'
      ask()
    }, ASK_EVERY)
  }
}

function comeUp() {
  clearInterval(asking)
  asking = null
  body.dataset.live = 'up'
  delete body.dataset.reach
}

function askAtOnce() {
  if (body.dataset.live !== 'up' && !document.hidden) ask()
}

if (body.hasAttribute('ws-connect')) {
  goDown() // until it opens
  body.addEventListener('htmx:wsOpen', comeUp)
  body.addEventListener('htmx:wsClose', goDown)
  body.addEventListener('htmx:wsClose', () => {
    if (body.dataset.live === 'up') body.dataset.live = 'lost'
  })
  addEventListener('online', askAtOnce)
  document.addEventListener('visibilitychange', askAtOnce)
}

// --- messages ---------------------------------------------------------------------------------------------

// While a region is being fetched, messages wait: the answer may be older than they are.
let fetching = 0
let held = []

const changesThePage = (element) => element.matches?.(`${regions}, ${answers}`)

body.addEventListener('htmx:beforeRequest', (event) => {
  const { elt, xhr } = event.detail
  if (!changesThePage(elt)) return
  // Another answer may replace the element before its own comes. htmx would say the rest to the element alone, so the
  // request itself is listened to, and the body hears of the answer.
  if (elt.matches(answers)) event.detail.target = body
  fetching += 1
  xhr.addEventListener(
    'loadend',
    () => {
      fetching -= 1
      if (fetching === 0) held.splice(0).forEach(apply)
      if (xhr.status >= 200 && xhr.status < 400) delete body.dataset.reach
    },
    { once: true },
  )
})

body.addEventListener('htmx:afterRequest', (event) => {
  // Without a socket, what one did oneself is seen at once.
  if (event.detail.requestConfig.verb === 'post') askAtOnce()
})

body.addEventListener('htmx:wsBeforeMessage', (event) => {
  event.preventDefault() // we put it on the page ourselves, fragment by fragment
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
    saysTheSame(requestConfig.elt, xhr.response)
  ) {
    // As after nearly every opening of the socket: what somebody is about to click stays where it is.
    event.detail.shouldSwap = false
  }
})

function saysTheSame(region, answer) {
  if (region.hasAttribute('hx-select-oob')) return false // it is not all that the answer holds
  const fresh = new DOMParser().parseFromString(answer, 'text/html').getElementById(region.id)
  return fresh !== null && plain(fresh).isEqualNode(plain(region))
}

// Without what differs though it says the same: where it goes, tokens, how scripts write times and show boxes for those
// who have scripts, and what htmx notes on elements.
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
    if ('ask' in fragment.dataset) {
      askSoon()
      continue
    }
    const targets = targetsOf(fragment)
    if (!targets.length) continue // this page does not show it
    keepMarks(fragment, targets[0])
    if (isShown(fragment, targets[0])) continue // a button that stays the same stays where it is, under the finger
    if (how(fragment).startsWith('afterbegin')) arrive(fragment)
    htmx.swap(body, fragment.outerHTML, { swapStyle: 'none', swapDelay: 0, settleDelay: 0 })
  }
}

// A table's parts may stand beside anything else in a message. The leading tbody puts the parser into a mode
// that keeps both; rows without a tbody of their own get one from it, which is taken away again.
function fragmentsOf(message) {
  const template = document.createElement('template')
  template.innerHTML = `<tbody></tbody>${message}`
  return [...template.content.children].flatMap((element) =>
    element.localName === 'tbody' && !element.attributes.length ? [...element.children] : [element],
  )
}

// The message is the same for everybody; what was searched for is marked on this page alone, where a long prompt begins
// shortly before it.
function keepMarks(fragment, target) {
  for (const mark of target.querySelectorAll('a[id^="see-"] > mark:first-of-type')) {
    const before = mark.parentElement
    const now = fragment.querySelector(`#${CSS.escape(before.id)}`)
    if (!now) continue
    const asksTheSame = before.dataset.of && now.dataset.of === before.dataset.of
    if (asksTheSame || now.textContent === before.textContent)
      now.replaceChildren(...before.cloneNode(true).childNodes)
  }
}

function isShown(fragment, target) {
  if (how(fragment) !== 'true') return false
  return plain(fragment).isEqualNode(plain(target))
}

function how(fragment) {
  return fragment.getAttribute('hx-swap-oob') ?? 'true'
}

function targetsOf(fragment) {
  const [, selector] = how(fragment).match(/^[a-z]+:(.+)$/i) ?? []
  return document.querySelectorAll(selector ?? `#${CSS.escape(fragment.id)}`)
}

function arrive(fragment) {
  for (const element of fragment.children) {
    element.classList.add('arrives')
    if (element.dataset.say) say(element.dataset.say)
  }
}

// For those who hear the page.
function say(words) {
  document.getElementById('said').textContent = words
}
