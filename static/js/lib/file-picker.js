// Files for a form: selected from the library in a dialog, or dropped, pasted or picked from disk and uploaded.

import { call } from './session.js'
import { showToast } from './toast.js'
import { Upload } from './upload.js'

const dialog = document.getElementById('picker')
const uploads = new Set() // in progress
const isUploading = () => [...uploads].some((upload) => upload.field.isConnected) // an upload for a form that was left does not block
const TYPES = { IMAGE: 'image/', VIDEO: 'video/', AUDIO: 'audio/' }

const fieldOf = (element) => element.closest?.('[data-files]')
const maxFiles = (field) => Number(field.dataset.maxFiles)
const chosen = (field) => field.querySelectorAll('.tool-field-options input:checked')

function enhance() {
  document.querySelectorAll('.tool-field-sources[hidden]').forEach((part) => {
    part.hidden = false
  })
}

function announceChange(field) {
  field.dispatchEvent(new Event('change', { bubbles: true }))
}

// Select a file in the field, adding its tile if it is not there yet.
function choose(field, tile) {
  const value = tile.querySelector('input').value
  const known = [...field.querySelectorAll('.tool-field-options input')].find(
    (input) => input.value === value,
  )
  if (!known) field.querySelector('.tool-field-options').prepend(tile)
  const input = known ?? tile.querySelector('input')
  if (maxFiles(field) === 1)
    chosen(field).forEach((other) => {
      other.checked = false
    })
  input.checked = true
  input.defaultChecked = false // counts as unsent input
  enforceLimit(field, input)
  announceChange(field)
}

function enforceLimit(field, input) {
  if (chosen(field).length <= maxFiles(field)) return true
  if (maxFiles(field) === 1) {
    chosen(field).forEach((other) => {
      other.checked = other === input
    })
    return true
  }
  input.checked = false
  showToast(`Select at most ${maxFiles(field)} files.`)
  return false
}

// --- the library

async function browse(button) {
  const field = fieldOf(button)
  const answer = await call(button.dataset.browse, { headers: { 'HX-Request': 'true' } })
  if (!answer) return
  if (!answer.ok) return showToast('The library could not be loaded. Try again.')
  dialog.innerHTML = await answer.text()
  htmx.process(dialog)
  dialog.dataset.field = field.id
  mark()
  dialog.showModal()
}

function mark() {
  const field = document.getElementById(dialog.dataset.field)
  if (!field) return
  const values = new Set([...chosen(field)].map((input) => input.value))
  dialog.querySelectorAll('.tool-field-option input').forEach((input) => {
    input.checked = values.has(input.value)
  })
}

function togglePicked(input) {
  const field = document.getElementById(dialog.dataset.field)
  if (!field) return
  if (input.checked) {
    choose(field, input.closest('.tool-field-option').cloneNode(true))
  } else {
    const own = [...chosen(field)].find((each) => each.value === input.value)
    if (own) own.checked = false
    announceChange(field)
  }
  mark()
  if (maxFiles(field) === 1 && input.checked) dialog.close()
}

// --- from disk

function addFiles(field, files) {
  const media = field.dataset.media.split(' ').filter(Boolean)
  for (const file of files) {
    if (media.length && file.type && !media.some((kind) => file.type.startsWith(TYPES[kind])))
      showToast(`“${file.name}” has an unsuitable file type.`)
    else startUpload(field, file)
  }
}

const STEPS = { forwarding: 'Sending to VideoGen', processing: 'Processing…' }

function startUpload(field, file) {
  const tile = document.createElement('div')
  tile.className = 'tool-field-option tool-field-uploading'
  const bar = Object.assign(document.createElement('progress'), { max: 1, value: 0 })
  const name = Object.assign(document.createElement('span'), { className: 'tool-field-name' })
  const act = Object.assign(document.createElement('button'), {
    type: 'button',
    className: 'tool-field-link',
  })
  tile.append(bar, name, act)
  field.querySelector('.tool-field-options').prepend(tile)

  const show = (now) => {
    if (now.state === 'cancelled') tile.remove()
    bar.setAttribute('aria-label', `Uploading ${now.name}`)
    if (STEPS[now.state]) bar.removeAttribute('value')
    else bar.value = now.sent
    bar.hidden = now.state === 'failed'
    tile.toggleAttribute('data-failed', now.state === 'failed')
    name.textContent = now.state === 'failed' ? now.problem : (STEPS[now.state] ?? now.name)
    act.textContent = now.canRetry ? 'Try again' : now.canCancel ? 'Cancel' : 'Remove'
    act.hidden = now.state === 'ready'
    if (now.canRetry) uploads.delete(now)
    else if (now.state === 'ready') uploadReady(field, tile, now)
    else uploads.add(now)
  }
  const upload = new Upload(file, { url: field.dataset.to, statesUrl: field.dataset.states, onChange: show })
  upload.field = field
  act.addEventListener('click', () => {
    if (upload.canRetry) upload.start()
    else if (upload.canCancel) upload.cancel()
    else upload.forget()
  })
  upload.start()
}

// The upload is ready: replace its progress by the file's tile, selected.
async function uploadReady(field, tile, upload) {
  const url = new URL(field.querySelector('[data-browse]').dataset.browse, location)
  url.searchParams.set('id', upload.answer.remote_id)
  const answer = field.isConnected ? await call(url) : null
  uploads.delete(upload)
  tile.remove()
  if (!field.isConnected || (answer && !answer.ok))
    showToast(`“${upload.name}” was uploaded. Find it in the library.`)
  if (!field.isConnected || !answer?.ok) return
  const holder = document.createElement('template')
  holder.innerHTML = await answer.text()
  choose(field, holder.content.firstElementChild)
}

// --- events

document.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-browse]')
  if (button) browse(button)
  else if (target === dialog || target.closest('[data-close]')) dialog.close()
})

document.addEventListener('change', ({ target }) => {
  if (target.type === 'file' && target.closest('[data-upload]')) {
    addFiles(fieldOf(target), target.files)
    target.value = ''
  } else if (dialog.contains(target) && target.closest('.tool-field-option')) togglePicked(target)
  else if (target.closest?.('[data-files] .tool-field-options')) enforceLimit(fieldOf(target), target)
})

dialog.addEventListener('htmx:afterSwap', mark)

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files')

document.addEventListener('dragover', (event) => {
  if (!hasFiles(event)) return
  event.preventDefault() // a file dropped next to the field must not replace the page
  document.querySelectorAll('[data-over]').forEach((field) => {
    if (field !== fieldOf(event.target)) delete field.dataset.over
  })
  const field = fieldOf(event.target)
  event.dataTransfer.dropEffect = field ? 'copy' : 'none'
  if (field) field.dataset.over = 'yes'
})

document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget)
    document.querySelectorAll('[data-over]').forEach((field) => {
      delete field.dataset.over
    })
})

document.addEventListener('drop', (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  const field = fieldOf(event.target)
  document.querySelectorAll('[data-over]').forEach((each) => {
    delete each.dataset.over
  })
  if (field) addFiles(field, event.dataTransfer.files)
})

document.addEventListener('paste', (event) => {
  const files = [...(event.clipboardData?.files ?? [])]
  if (!files.length) return
  // Into the focused field, or else the first one that accepts such a file.
  const fits = (field) =>
    files.some((file) =>
      field.dataset.media.split(' ').some((kind) => !kind || file.type.startsWith(TYPES[kind])),
    )
  const field = fieldOf(event.target) ?? [...document.querySelectorAll('#composer [data-files]')].find(fits)
  if (!field) return
  event.preventDefault()
  addFiles(field, files)
})

document.body.addEventListener('htmx:beforeRequest', (event) => {
  if (event.detail.elt.id !== 'composer' || !isUploading()) return
  event.preventDefault()
  showToast('A file is still uploading. Start when it has finished.')
})

// A form without htmx.
document.addEventListener('submit', (event) => {
  if (event.target.id !== 'composer' || event.target.hasAttribute('hx-post') || !isUploading()) return
  event.preventDefault()
  showToast('A file is still uploading. Continue when it has finished.')
})

document.body.addEventListener('htmx:afterSwap', enhance)
enhance()
