// "Since you left" counts as seen once it has been visible for a moment. A person with the studio open sees jobs
// finish, so their last visit is updated when they leave.

const SEEN_AFTER = 2500 // ms
const url = document.querySelector('[data-seen-url]').dataset.seenUrl
const panel = document.getElementById('since')
let unseen = panel !== null

function body(fields) {
  const data = new FormData(document.getElementById('csrf'))
  for (const [name, value] of Object.entries({ quiet: '1', ...fields })) data.set(name, value)
  return data
}

async function reportSeen() {
  const response = await fetch(url, { method: 'POST', body: body({ until: panel.dataset.until }) }).catch(
    () => null,
  )
  if (!response?.ok) return // without a connection it stays unseen
  unseen = false
  panel.dataset.seen = ''
}

// A long panel never fits the window: then 40 % of the window is enough.
const isInView = ({ intersectionRatio, intersectionRect }) =>
  intersectionRatio >= 0.4 || intersectionRect.height >= innerHeight * 0.4

if (panel) {
  let timer = null
  let inView = false
  const update = () => {
    clearTimeout(timer)
    if (unseen && inView && !document.hidden) timer = setTimeout(reportSeen, SEEN_AFTER)
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      inView = isInView(entries.at(-1))
      update()
    },
    { threshold: [0, 0.1, 0.2, 0.3, 0.4] },
  )
  watcher.observe(panel)
  document.addEventListener('visibilitychange', update)
  panel.querySelector('header form')?.addEventListener('submit', (event) => {
    event.preventDefault()
    reportSeen().then(() => panel.remove()) // if the report failed, the next page shows it again
  })
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden && !unseen) navigator.sendBeacon(url, body({}))
})
