// What makes choosing quicker: voices that can be searched and heard, faces that move, rows that repeat.
// Everything here is added to a form that works without it.

import { call } from './session.js'
import { tell } from './toast.js'

const UNHEARD = 'This voice cannot be heard just now.'
const player = new Audio()
const ASKS = 30 // how often a sample that is being made is asked for
let playing = null // the button of the voice that is heard

function dress(root) {
  root
    .querySelectorAll('.tool-field-voice-filters[hidden], [data-pair-add][hidden], [data-listen][hidden]')
    .forEach((part) => {
      part.hidden = false
    })
  root.querySelectorAll('[data-pairs]').forEach(count)
}

// --- voices

function filter(field) {
  const words = field.querySelector('[data-voice-words]').value.toLowerCase().split(/\s+/).filter(Boolean)
  const language = field.querySelector('[data-voice-language]').value
  const gender = field.querySelector('[data-voice-gender]').value
  let shown = 0
  for (const row of field.querySelectorAll('.tool-field-voice')) {
    const text = row.textContent.toLowerCase()
    const fits =
      (!language || row.dataset.language === language) &&
      (!gender || row.dataset.gender === gender) &&
      words.every((word) => text.includes(word))
    row.hidden = !fits
    shown += fits
  }
  field.querySelector('[data-none]').hidden = shown > 0
}

function quiet() {
  player.pause()
  playing?.removeAttribute('data-state')
  playing = null
}

async function listen(button) {
  const again = playing === button
  quiet()
  if (again) return
  playing = button
  button.dataset.state = 'waiting'
  try {
    const url = await sampleOf(button)
    if (playing !== button) return
    if (!url) return quiet()
    player.src = url
    await player.play().catch(() => {
      throw new Error(UNHEARD)
    })
    if (playing === button) button.dataset.state = 'playing'
  } catch (problem) {
    if (playing !== button) return // another one is to be heard by now
    quiet()
    tell(problem.message)
  }
}

// Its address; or null, and what is wrong was said.
async function sampleOf(button, patience = ASKS) {
  const answer = await call(button.dataset.listen, { method: 'POST' })
  if (!answer) return null
  const told = await answer.json().catch(() => ({}))
  if (answer.status === 200) return told.url
  if (answer.status !== 202 || patience <= 0) throw new Error(told.error ?? UNHEARD)
  if (document.getElementById('board')) {
    await ended(told.job)
    return sampleOf(button, patience - ASKS / 2)
  }
  // This page does not hear of jobs, so it asks.
  await new Promise((done) => setTimeout(done, 1500))
  return sampleOf(button, patience - 1)
}

// The page hears of the job's end by its socket, as of every other.
function ended(job) {
  return new Promise((done, fail) => {
    const watch = new MutationObserver(look)
    const limit = setTimeout(() => {
      watch.disconnect()
      fail(new Error('The sample is not ready yet. Try again in a moment.'))
    }, 60_000)
    function look() {
      const take = document.getElementById(`take-${job}`)
      if (!take) return
      watch.disconnect()
      clearTimeout(limit)
      if (take.dataset.status === 'succeeded') done()
      else fail(new Error('The sample could not be made.'))
    }
    watch.observe(document.body, { childList: true, subtree: true })
    look()
  })
}

player.addEventListener('ended', quiet)

// --- rows that repeat

function count(field) {
  const rows = field.querySelectorAll('.tool-field-pair')
  rows.forEach((row, index) => {
    row.setAttribute('aria-label', `Row ${index + 1}`)
    row.querySelector('[data-pair-remove]').hidden = rows.length < 2
  })
  field.querySelector('[data-pair-add]').disabled = rows.length >= Number(field.dataset.pairs)
}

function addRow(field) {
  const last = field.querySelector('.tool-field-pair:last-child')
  const row = last.cloneNode(true)
  row.querySelectorAll('input').forEach((input) => {
    input.value = ''
  })
  last.after(row)
  count(field)
  row.querySelector('input').focus()
}

function removeRow(row) {
  const field = row.closest('[data-pairs]')
  const next = row.nextElementSibling ?? row.previousElementSibling
  row.remove()
  count(field)
  next.querySelector('input').focus()
}

// --- faces

function move({ target }) {
  const face = target.closest?.('[data-clip]')
  if (!face || face.querySelector('video') || matchMedia('(prefers-reduced-motion: reduce)').matches) return
  const clip = Object.assign(document.createElement('video'), {
    src: face.dataset.clip,
    muted: true,
    loop: true,
    playsInline: true,
  })
  clip.addEventListener('error', () => clip.remove())
  clip.addEventListener('playing', () => {
    clip.dataset.ready = 'yes'
  })
  face.querySelector('img').after(clip)
  clip.play().catch(() => clip.remove())
}

function still({ target, relatedTarget }) {
  const face = target.closest?.('[data-clip]')
  if (face && !face.contains(relatedTarget)) face.querySelector('video')?.remove()
}

document.addEventListener('pointerover', move)
document.addEventListener('pointerout', still)
document.addEventListener('focusin', move)
document.addEventListener('focusout', still)

document.addEventListener('click', ({ target }) => {
  const button = target.closest('button')
  if (button?.dataset.listen) listen(button)
  else if (button?.matches('[data-pair-add]')) addRow(button.closest('[data-pairs]'))
  else if (button?.matches('[data-pair-remove]')) removeRow(button.closest('.tool-field-pair'))
})

document.addEventListener('input', ({ target }) => {
  const field = target.closest('[data-voices]')
  if (field && target.closest('.tool-field-voice-filters')) filter(field)
})

// The search is no part of the job: Enter there does not start it.
document.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.matches('[data-voice-words]')) event.preventDefault()
})

document.addEventListener('change', ({ target }) => {
  const field = target.closest('[data-voices]')
  if (!field || target.type !== 'radio') return
  field.querySelector('[data-chosen]').textContent = target.value
    ? target.closest('.tool-field-voice').querySelector('.tool-field-name').textContent
    : ''
})

document.body.addEventListener('htmx:afterSwap', () => {
  if (playing && !playing.isConnected) quiet()
  dress(document)
})

dress(document)
