// Media that does not load: its link is asked again a few times (the file may be in the making, or its
// signed address have run out), then the frame says so.
// And players that live updates carry over keep their controls.

const WORDS = {
  IMG: 'The picture could not be loaded.',
  VIDEO: 'The video could not be loaded.',
  AUDIO: 'The sound could not be loaded.',
}
const PAUSES = [1500, 4000, 10000] // ms before each further try
const STARVING = 2500 // ms without any bytes for a player that waits for them
const stood = new WeakMap() // where a player stood, and whether it ran: setting its source anew forgets both
const fed = new WeakMap() // when a player last got bytes
const waits = new WeakMap()

function trouble({ target: media }) {
  const words = WORDS[media.tagName]
  if (!words) return
  const tries = Number(media.dataset.tries ?? 0)
  if (tries >= PAUSES.length) {
    const frame = media.closest('[data-frame]')
    if (frame) frame.dataset.broken = words
    return
  }
  media.dataset.tries = tries + 1
  if (media.currentTime || media.paused === false)
    stood.set(media, { at: media.currentTime, ran: !media.paused })
  const was = stood.get(media)
  // One that stops in the middle has an address that ran out: its link leads to a fresh one, at once.
  setTimeout(
    () => {
      media.src = media.getAttribute('src')
      if (was) media.addEventListener('loadedmetadata', () => goOn(media, was), { once: true })
    },
    was && tries === 0 ? 0 : PAUSES[tries],
  )
}

// Chromium asks an address that ran out for half a minute before it gives up. A slow line brings bytes all the
// while; where none come, the link is asked for a fresh address.
function hunger({ target: player }) {
  const since = performance.now()
  clearTimeout(waits.get(player))
  waits.set(
    player,
    setTimeout(() => {
      const isHungry = player.readyState < 3 && player.networkState === 2 && !player.error
      if (isHungry && (fed.get(player) ?? 0) < since && player.hasAttribute('src'))
        trouble({ target: player })
    }, STARVING),
  )
}

function goOn(player, { at, ran }) {
  stood.delete(player)
  player.currentTime = at
  if (ran) player.play().catch(() => {}) // some browsers want a click for it
}

function well(event) {
  if (!WORDS[event.target.tagName]) return
  delete event.target.dataset.tries
  delete event.target.closest('[data-frame]')?.dataset.broken
}

// None of these events bubbles, so they are caught on their way down.
document.addEventListener('error', trouble, true)
document.addEventListener('load', well, true)
document.addEventListener('loadedmetadata', well, true)
document.addEventListener('progress', ({ target }) => fed.set(target, performance.now()), true)
document.addEventListener('waiting', hunger, true)
document.addEventListener('seeking', hunger, true)

// What failed before this script came.
for (const image of document.images)
  if (image.complete && image.currentSrc && !image.naturalWidth) trouble({ target: image })

// htmx moves a preserved player into the new fragment while it plays; Chromium then stops drawing its controls
// until they are set anew.
const PLAYERS = 'audio[controls], video[controls]'
const seen = new WeakSet(document.querySelectorAll(PLAYERS))

function drawControls(player) {
  if (seen.has(player)) {
    const hadFocus = document.activeElement === player
    player.controls = false
    player.controls = true
    if (hadFocus) player.focus({ preventScroll: true })
  }
  seen.add(player)
}

new MutationObserver((changes) => {
  const moved = new Set()
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue
      if (node.matches(PLAYERS)) moved.add(node)
      node.querySelectorAll(PLAYERS).forEach((player) => moved.add(player))
    }
  }
  moved.forEach(drawControls)
}).observe(document.body, { childList: true, subtree: true })
