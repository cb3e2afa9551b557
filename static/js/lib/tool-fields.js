// Enhances a tool's form: search and samples of voices, moving presenters, repeatable rows.
// The form works without this script.

import { call } from './session.js'
import { showToast } from './toast.js'

const UNPLAYABLE = 'This voice cannot be played right now.'
const player = new Audio()
const MAX_POLLS = 30 // requests for a sample that is being generated
let playing = null // the button of the voice that is playing

function enhance(root) {
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

function stop() {
  player.pause()
  playing?.removeAttribute('data-state')
  playing = null
}

async function listen(button) {
  const again = playing === button
  stop()
  if (again) return
  playing = button
  button.dataset.state = 'waiting'
  try {
    const url = await sampleOf(button)
    if (playing !== button) return
    if (!url) return stop()
    player.src = url
    await player.play().catch(() => {
      throw new Error(UNPLAYABLE)
    })
    if (playing === button) button.dataset.state = 'playing'
  } catch (problem) {
    if (playing !== button) return // another voice was started meanwhile
    stop()
    showToast(problem.message)
  }
}

// The sample's URL, or null if the error has been shown.
async function sampleOf(button, polls = MAX_POLLS) {
  const answer = await call(button.dataset.listen, { method: 'POST' })
  if (!answer) return null
  const body = await answer.json().catch(() => ({}))
  if (answer.status === 200) return body.url
  if (answer.status !== 202 || polls <= 0) throw new Error(body.error ?? UNPLAYABLE)
  if (document.getElementById('board')) {
    await finished(body.job)
    return sampleOf(button, polls - MAX_POLLS / 2)
  }
  // This page receives no live updates of jobs, so it polls.
  await new Promise((done) => setTimeout(done, 1500))
  return sampleOf(button, polls - 1)
}

// Resolves when the page's live updates report that the job succeeded.
function finished(job) {
  return new Promise((done, fail) => {
    const watch = new MutationObserver(check)
    const limit = setTimeout(() => {
      watch.disconnect()
      fail(new Error('The sample is not ready yet. Try again in a moment.'))
    }, 60_000)
    function check() {
      const card = document.getElementById(`finished-${job}`)
      if (!card) return
      watch.disconnect()
      clearTimeout(limit)
      if (card.dataset.status === 'succeeded') done()
      else fail(new Error('The sample could not be generated.'))
    }
    watch.observe(document.body, { childList: true, subtree: true })
    check()
  })
}

player.addEventListener('ended', stop)

// --- repeatable rows

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

// --- presenters

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

// The search is not part of the job, so Enter in it must not start the job.
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
  if (playing && !playing.isConnected) stop()
  enhance(document)
})

enhance(document)
