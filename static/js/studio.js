// "Since you left" has been seen once it was in sight for a moment, in a window that is looked at. Whoever watches
// the studio sees what ends there: when they leave, their last look is now.

const IN_SIGHT = 2500 // ms
const url = document.querySelector('[data-seen-url]').dataset.seenUrl
const panel = document.getElementById('since')
let unseen = panel !== null

function body(fields) {
  const data = new FormData(document.getElementById('csrf'))
  for (const [name, value] of Object.entries({ quiet: '1', ...fields })) data.set(name, value)
  return data
}

async function tellSeen() {
  const answer = await fetch(url, { method: 'POST', body: body({ until: panel.dataset.until }) }).catch(
    () => null,
  )
  if (!answer?.ok) return // without a connection it stays unseen
  unseen = false
  panel.dataset.seen = ''
}

// A long one never fits: then as much of it as of the window is enough.
const enough = ({ intersectionRatio, intersectionRect }) =>
  intersectionRatio >= 0.4 || intersectionRect.height >= innerHeight * 0.4

if (panel) {
  let timer = null
  let inSight = false
  const look = () => {
    clearTimeout(timer)
    if (unseen && inSight && !document.hidden) timer = setTimeout(tellSeen, IN_SIGHT)
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      inSight = enough(entries.at(-1))
      look()
    },
    { threshold: [0, 0.1, 0.2, 0.3, 0.4] },
  )
  watcher.observe(panel)
  document.addEventListener('visibilitychange', look)
  panel.querySelector('header form')?.addEventListener('submit', (event) => {
    event.preventDefault()
    tellSeen().then(() => panel.remove()) // not told, it comes again with the next page
  })
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden && !unseen) navigator.sendBeacon(url, body({}))
})
