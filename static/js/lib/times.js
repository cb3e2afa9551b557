// Times in the reader's time zone, and running durations.

const LANGUAGE = document.documentElement.lang
const format = (options) => new Intl.DateTimeFormat(LANGUAGE, options)
const whole = format({ dateStyle: 'full', timeStyle: 'medium' })
const hours = format({ hour: '2-digit', minute: '2-digit' })
const exact = format({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 1 })
const day = format({ day: 'numeric', month: 'short' })
const year = format({ day: 'numeric', month: 'short', year: 'numeric' })

// How far the server's clock is ahead of the browser's (ms), by its last response.
let ahead = 0

function words(at) {
  const now = new Date()
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  if (at.toDateString() === now.toDateString()) return hours.format(at)
  if (at.toDateString() === yesterday.toDateString()) return `yesterday ${hours.format(at)}`
  if (at.getFullYear() === now.getFullYear()) return `${day.format(at)}, ${hours.format(at)}`
  return year.format(at)
}

function show(time) {
  const at = new Date(time.dateTime)
  if (Number.isNaN(at.getTime())) return
  time.title = whole.format(at)
  time.textContent = time.dataset.moment === 'clock' ? exact.format(at) : words(at)
}

const pad = (number) => String(number).padStart(2, '0')

function count(time) {
  const seconds = Math.max(0, Math.floor((Date.now() + ahead - Date.parse(time.dateTime)) / 1000))
  const [hour, minute, second] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const text = hour ? `${hour}:${pad(minute)}:${pad(second)}` : `${minute}:${pad(second)}`
  if (time.textContent !== text) time.textContent = text
}

function within(node) {
  node.querySelectorAll('time[data-moment]').forEach(show)
  node.querySelectorAll('time[data-since]').forEach(count)
}

within(document)
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes)
      if (node.nodeType === Node.ELEMENT_NODE) within(node.parentNode ?? node)
  }
}).observe(document.body, { childList: true, subtree: true })

setInterval(() => document.querySelectorAll('time[data-since]').forEach(count), 1000)

document.body.addEventListener('htmx:afterRequest', ({ detail }) => {
  const date = Date.parse(detail.xhr?.getResponseHeader('Date') ?? '')
  if (Number.isNaN(date)) return
  const difference = date + 500 - Date.now()
  ahead = Math.abs(difference) > 2000 ? difference : 0 // the header has whole seconds only
})
