// The History: keyboard shortcuts, selecting jobs, filter menus, and the number of new jobs. Without this script, the
// checkboxes and forms still work.

const list = () => document.querySelector('[data-items]')
const items = () => [...(list()?.children ?? [])]
const boxOf = (item) => item.querySelector('.history-box input')
const boxes = () => items().map(boxOf)
const chosen = document.getElementById('chosen')
const keys = document.getElementById('keys')
let last = null // the box that was clicked last

// --- selecting

function count() {
  const all = boxes()
  const number = all.filter((box) => box.checked).length
  chosen.querySelector('[data-count]').textContent = number || ''
  const every = document.getElementById('pick-all')
  if (!every) return
  every.closest('.history-box').hidden = false
  every.checked = number > 0 && number === all.length
  every.indeterminate = number > 0 && number < all.length
}

function choose(box, isOn, withRange) {
  if (withRange && last?.isConnected) {
    const all = boxes()
    const [from, to] = [all.indexOf(last), all.indexOf(box)].toSorted((a, b) => a - b)
    all.slice(from, to + 1).forEach((each) => {
      each.checked = isOn
    })
  }
  box.checked = isOn
  last = box
  count()
}

function chooseAll(isOn) {
  boxes().forEach((box) => {
    box.checked = isOn
  })
  count()
}

document.addEventListener('click', (event) => {
  const box = event.target
  if (box.id === 'pick-all') chooseAll(box.checked)
  else if (box.matches?.('[data-items] .history-box input')) choose(box, box.checked, event.shiftKey)
})
chosen.addEventListener('reset', () => setTimeout(count))
addEventListener('pageshow', count)

// --- the keyboard

const current = () => items().indexOf(document.activeElement.closest?.('[data-items] > *'))

function go(step) {
  const all = items()
  const at = current()
  const next =
    all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))]
  next?.querySelector('.table-title a, .job-tile-title a')?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}

function toggle(withRange) {
  const item = items()[current()]
  if (item) choose(boxOf(item), withRange || !boxOf(item).checked, withRange)
}

const SHORTCUTS = {
  j: () => go(1),
  k: () => go(-1),
  x: () => toggle(false),
  X: () => toggle(true),
  a: () => chooseAll(true),
  '/': () => document.getElementById('words').focus(),
  n: () => document.querySelector('#new-jobs a')?.click(),
  '[': () => document.querySelector('[rel=prev]')?.click(),
  ']': () => document.querySelector('[rel=next]')?.click(),
  '?': () => keys.togglePopover(),
  Escape: () => chooseAll(false),
}

const isTyping = (element) =>
  element.matches('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]')

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
  if (event.key === 'Escape' && document.querySelector('details.history-menu[open], [popover]:popover-open'))
    return
  const act = SHORTCUTS[event.key]
  if (!act) return
  event.preventDefault()
  act()
})

// --- filter menus

document.addEventListener('click', (event) => {
  for (const open of document.querySelectorAll('details.history-menu[open]'))
    if (!open.contains(event.target)) open.open = false
})
document.addEventListener('keydown', (event) => {
  const open = event.key === 'Escape' && document.querySelector('details.history-menu[open]')
  if (!open) return
  open.open = false
  open.querySelector('summary').focus()
})

// Closing a menu applies its values if they have changed.
const form = document.querySelector('form.filter-bar')
form.dataset.scripted = ''
const values = () => new URLSearchParams(new FormData(form)).toString()
const opened = new WeakMap()
for (const menu of document.querySelectorAll('details.history-menu')) {
  menu.addEventListener('toggle', () => {
    if (menu.open) opened.set(menu, values())
    else if (opened.has(menu) && opened.get(menu) !== values()) form.requestSubmit()
  })
}

// A value is either selected or excluded.
document.addEventListener('change', ({ target }) => {
  const value = target.closest?.('.history-value')
  if (value && target.checked)
    value.querySelectorAll('input').forEach((each) => {
      if (each !== target) each.checked = false
    })
  if (target.matches?.('[name=from], [name=to]'))
    target.form.querySelector('[name=when][value=between]').checked = true
})

for (const search of document.querySelectorAll('.history-find')) {
  search.hidden = false
  search.addEventListener('input', () => {
    const words = search.value.toLowerCase()
    for (const value of search.parentElement.querySelectorAll('.history-value'))
      value.hidden = !value.textContent.toLowerCase().includes(words)
  })
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') event.preventDefault()
  })
}

// --- new jobs

// The socket reports new jobs; the server counts those that match the filters.
const news = document.getElementById('news')
let pendingCount = null
if (news) {
  new MutationObserver((changes) => {
    if (!changes.some(({ addedNodes }) => [...addedNodes].some((node) => node.id === 'arrived'))) return
    pendingCount ??= setTimeout(() => {
      pendingCount = null
      htmx.trigger(news, 'rushes:count-new-jobs')
    }, 150)
  }).observe(news, { childList: true })
}

// A refetched region has new rows, without selection.
document.body.addEventListener('htmx:afterSettle', count)
