// The upload page: files that are dropped, pasted or chosen, each with a row that shows its progress.

import { Queue, Upload, filesOf } from './lib/upload.js'

const form = document.getElementById('upload')
const list = document.getElementById('uploads')
const rowTemplate = document.getElementById('upload-row')
const chooser = form.querySelector('input[type="file"]')
const queue = new Queue()
const openUploads = new Set()

for (const element of form.querySelectorAll('[data-with-script]')) element.hidden = false
for (const element of form.querySelectorAll('[data-without-script]')) element.hidden = true
chooser.classList.add('visually-hidden')
chooser.tabIndex = -1

const LABELS = {
  waiting: () => 'queued',
  sending: (upload) => `${Math.floor(upload.sent * 100)} % of ${size(upload.file.size)}`,
  forwarding: () => 'sending to VideoGen',
  processing: () => 'processing…',
  ready: () => 'in the library',
  failed: (upload) => upload.problem || 'Upload failed.',
  cancelled: () => 'cancelled',
}

function size(bytes) {
  const units = ['bytes', 'KB', 'MB', 'GB']
  let step = 0
  while (bytes >= 1000 && step < 3) {
    bytes /= 1000
    step += 1
  }
  return `${step && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`
}

function show(upload) {
  const { row } = upload
  const previous = row.dataset.state
  row.dataset.state = upload.state === 'cancelled' ? 'failed' : upload.state
  row.querySelector('[data-words]').textContent = LABELS[upload.state]?.(upload) ?? upload.state
  const bar = row.querySelector('progress')
  if (upload.state === 'sending' || upload.state === 'waiting') bar.value = Math.round(upload.sent * 100)
  else bar.removeAttribute('value')
  bar.setAttribute('aria-label', upload.name)
  row.querySelector('[data-act="cancel"]').hidden = !upload.canCancel
  row.querySelector('[data-act="retry"]').hidden = !upload.canRetry
  const link = row.querySelector('[data-act="open"]')
  if (upload.answer) link.href = upload.answer.url
  link.hidden = !upload.answer
  if (upload.state === 'ready' && previous !== 'ready') showThumbnail(upload)
  if (upload.canCancel) openUploads.add(upload)
  else openUploads.delete(upload)
  if (previous !== row.dataset.state && (upload.state === 'ready' || upload.state === 'failed')) {
    document.getElementById('said').textContent =
      `${upload.name}: ${row.querySelector('[data-words]').textContent}`
  }
}

function showThumbnail(upload) {
  if (upload.answer.type === 'AUDIO') return
  const image = new Image()
  image.alt = ''
  image.src = upload.answer.thumbnail_url
  upload.row.querySelector('.upload-thumbnail').replaceChildren(image)
}

function addFiles(files) {
  for (const file of files) {
    const upload = new Upload(file, { url: form.action, statesUrl: form.dataset.states, onChange: show })
    upload.row = rowTemplate.content.firstElementChild.cloneNode(true)
    upload.row.querySelector('[data-name]').textContent = upload.name
    upload.row.querySelector('[data-act="cancel"]').addEventListener('click', () => upload.cancel())
    upload.row.querySelector('[data-act="retry"]').addEventListener('click', () => {
      upload.change({ state: 'waiting', sent: 0, problem: '' })
      queue.add(upload)
    })
    list.append(upload.row)
    show(upload)
    queue.add(upload)
  }
}

form.querySelector('[data-choose]').addEventListener('click', () => chooser.click())
chooser.addEventListener('change', () => {
  addFiles([...chooser.files])
  chooser.value = ''
})
form.addEventListener('submit', (event) => event.preventDefault())

document.addEventListener('dragover', (event) => {
  if (!event.dataTransfer?.types.includes('Files')) return
  event.preventDefault()
  form.dataset.over = ''
})
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) delete form.dataset.over
})
document.addEventListener('drop', (event) => {
  const files = filesOf(event.dataTransfer)
  if (!files.length) return
  event.preventDefault()
  delete form.dataset.over
  addFiles(files)
})
document.addEventListener('paste', (event) => {
  const files = filesOf(event.clipboardData)
  if (files.length) {
    event.preventDefault()
    addFiles(files)
  }
})
addEventListener('beforeunload', (event) => {
  if (openUploads.size) event.preventDefault()
})
