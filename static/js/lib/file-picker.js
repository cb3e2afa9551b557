// Files for a form: chosen in a dialog over the library, or dropped, pasted or picked from the disk and uploaded on the way.

import { call } from './session.js'
import { tell } from './toast.js'
import { Upload } from './upload.js'

const dialog = document.getElementById('picker')
const uploads = new Set() // those under way
const isUploading = () => [...uploads].some((upload) => upload.field.isConnected) // one whose form was left holds up nobody
const WORDS = { IMAGE: 'image/', VIDEO: 'video/', AUDIO: 'audio/' }

const fieldOf = (element) => element.closest?.('[data-files]')
const most = (field) => Number(field.dataset.most)
const chosen = (field) => field.querySelectorAll('.tool-field-options input:checked')

function dress() {
  document.querySelectorAll('.tool-field-sources[hidden]').forEach((part) => {
    part.hidden = false
  })
}

function settled(field) {
  field.dispatchEvent(new Event('change', { bubbles: true }))
}

// A tile among the field's own, chosen; the one that is there already, if it is.
function choose(field, tile) {
  const value = tile.querySelector('input').value
  const known = [...field.querySelectorAll('.tool-field-options input')].find(
    (input) => input.value === value,
  )
  if (!known) field.querySelector('.tool-field-options').prepend(tile)
  const input = known ?? tile.querySelector('input')
  if (most(field) === 1)
    chosen(field).forEach((other) => {
      other.checked = false
    })
  input.checked = true
  input.defaultChecked = false // by the person, and not sent yet
  keepWithin(field, input)
  settled(field)
}

function keepWithin(field, input) {
  if (chosen(field).length <= most(field)) return true
  if (most(field) === 1) {
    chosen(field).forEach((other) => {
      other.checked = other === input
    })
    return true
  }
  input.checked = false
  tell(`At most ${most(field)} files.`)
  return false
}

// --- the library

async function browse(button) {
  const field = fieldOf(button)
  const answer = await call(button.dataset.browse, { headers: { 'HX-Request': 'true' } })
  if (!answer) return
  if (!answer.ok) return tell('The library could not be read just now.')
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

function picked(input) {
  const field = document.getElementById(dialog.dataset.field)
  if (!field) return
  if (input.checked) {
    choose(field, input.closest('.tool-field-option').cloneNode(true))
  } else {
    const own = [...chosen(field)].find((each) => each.value === input.value)
    if (own) own.checked = false
    settled(field)
  }
  mark()
  if (most(field) === 1 && input.checked) dialog.close()
}

// --- from the disk

function take(field, files) {
  const media = field.dataset.media.split(' ').filter(Boolean)
  for (const file of files) {
    if (media.length && file.type && !media.some((kind) => file.type.startsWith(WORDS[kind])))
      tell(`“${file.name}” does not fit here.`)
    else startUpload(field, file)
  }
}

const STEPS = { 'handing over': 'To VideoGen', processing: 'Being prepared' }

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
    else if (now.state === 'ready') arrived(field, tile, now)
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

// It can be used: its own tile, chosen, takes the place of the progress.
async function arrived(field, tile, upload) {
  const url = new URL(field.querySelector('[data-browse]').dataset.browse, location)
  url.searchParams.set('id', upload.answer.remote_id)
  const answer = field.isConnected ? await call(url) : null
  uploads.delete(upload)
  tile.remove()
  if (!field.isConnected || (answer && !answer.ok))
    tell(`“${upload.name}” was uploaded. Find it in the library.`)
  if (!field.isConnected || !answer?.ok) return
  const holder = document.createElement('template')
  holder.innerHTML = await answer.text()
  choose(field, holder.content.firstElementChild)
}

// --- what starts it

document.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-browse]')
  if (button) browse(button)
  else if (target === dialog || target.closest('[data-close]')) dialog.close()
})

document.addEventListener('change', ({ target }) => {
  if (target.type === 'file' && target.closest('[data-upload]')) {
    take(fieldOf(target), target.files)
    target.value = ''
  } else if (dialog.contains(target) && target.closest('.tool-field-option')) picked(target)
  else if (target.closest?.('[data-files] .tool-field-options')) keepWithin(fieldOf(target), target)
})

dialog.addEventListener('htmx:afterSwap', mark)

const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files')

document.addEventListener('dragover', (event) => {
  if (!carries(event)) return
  event.preventDefault() // a file dropped beside the field does not open in place of the page
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
  if (!carries(event)) return
  event.preventDefault()
  const field = fieldOf(event.target)
  document.querySelectorAll('[data-over]').forEach((each) => {
    delete each.dataset.over
  })
  if (field) take(field, event.dataTransfer.files)
})

document.addEventListener('paste', (event) => {
  const files = [...(event.clipboardData?.files ?? [])]
  if (!files.length) return
  // Into the field that has the focus; else into the first one that takes such a file.
  const fits = (field) =>
    files.some((file) =>
      field.dataset.media.split(' ').some((kind) => !kind || file.type.startsWith(WORDS[kind])),
    )
  const field = fieldOf(event.target) ?? [...document.querySelectorAll('#composer [data-files]')].find(fits)
  if (!field) return
  event.preventDefault()
  take(field, files)
})

document.body.addEventListener('htmx:beforeRequest', (event) => {
  if (event.detail.elt.id !== 'composer' || !isUploading()) return
  event.preventDefault()
  tell('A file is still being uploaded. Start when it is there.')
})

// A form without htmx.
document.addEventListener('submit', (event) => {
  if (event.target.id !== 'composer' || event.target.hasAttribute('hx-post') || !isUploading()) return
  event.preventDefault()
  tell('A file is still being uploaded. Go on when it is there.')
})

document.body.addEventListener('htmx:afterSwap', dress)
dress()
