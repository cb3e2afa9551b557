// Media that fails to load: its URL is requested again a few times, since the file may still be in progress or its
// signed URL may have expired. Then the frame shows an error.
// Players that survive a live update keep their controls.

const MESSAGES = {
  IMG: 'The image could not be loaded.',
  VIDEO: 'The video could not be loaded.',
  AUDIO: 'The audio could not be loaded.',
}
const RETRY_AFTER = [1500, 4000, 10000] // ms before each retry
const STALLED_AFTER = 2500 // ms without data for a player that waits for it
const positions = new WeakMap() // position and state of a player, which setting its source again resets
const lastData = new WeakMap() // when a player last received data
const stallTimers = new WeakMap()

function retry({ target: media }) {
  const message = MESSAGES[media.tagName]
  if (!message) return
  const tries = Number(media.dataset.tries ?? 0)
  if (tries >= RETRY_AFTER.length) {
    const frame = media.closest('[data-frame]')
    if (frame) frame.dataset.broken = message
    return
  }
  media.dataset.tries = tries + 1
  if (media.currentTime || media.paused === false)
    positions.set(media, { at: media.currentTime, ran: !media.paused })
  const was = positions.get(media)
  // A player that stops in the middle has an expired URL: its link redirects to a fresh one at once.
  setTimeout(
    () => {
      media.src = media.getAttribute('src')
      if (was) media.addEventListener('loadedmetadata', () => resume(media, was), { once: true })
    },
    was && tries === 0 ? 0 : RETRY_AFTER[tries],
  )
}

// Chromium retries an expired URL for half a minute before it gives up. A slow connection delivers data meanwhile; if
// none arrives, request the link again for a fresh URL.
function checkStall({ target: player }) {
  const since = performance.now()
  clearTimeout(stallTimers.get(player))
  stallTimers.set(
    player,
    setTimeout(() => {
      const isStalled = player.readyState < 3 && player.networkState === 2 && !player.error
      if (isStalled && (lastData.get(player) ?? 0) < since && player.hasAttribute('src'))
        retry({ target: player })
    }, STALLED_AFTER),
  )
}

function resume(player, { at, ran }) {
  positions.delete(player)
  player.currentTime = at
  if (ran) player.play().catch(() => {}) // some browsers require a click
}

function clearError(event) {
  if (!MESSAGES[event.target.tagName]) return
  delete event.target.dataset.tries
  delete event.target.closest('[data-frame]')?.dataset.broken
}

// These events do not bubble, so they are caught while capturing.
document.addEventListener('error', retry, true)
document.addEventListener('load', clearError, true)
document.addEventListener('loadedmetadata', clearError, true)
document.addEventListener('progress', ({ target }) => lastData.set(target, performance.now()), true)
document.addEventListener('waiting', checkStall, true)
document.addEventListener('seeking', checkStall, true)

// Images that failed before this script was loaded.
for (const image of document.images)
  if (image.complete && image.currentSrc && !image.naturalWidth) retry({ target: image })

// htmx moves a preserved player into the new fragment while it plays; Chromium then stops drawing its controls
// until they are set again.
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
