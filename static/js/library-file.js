// One file's page: zoom and copy buttons.

// --- zoom -------------------------------------------------------------------------------------------------

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a.library-file-zoom')
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
  event.preventDefault()
  zoom(link)
})

function zoom(link) {
  const dialog = document.createElement('dialog')
  dialog.className = 'library-file-zoomed'
  dialog.setAttribute('aria-label', 'Enlarged image')
  const image = new Image()
  image.src = link.dataset.full
  image.alt = link.querySelector('img')?.alt ?? ''
  const close = document.createElement('button')
  close.className = 'button'
  close.textContent = 'Close'
  // A click toggles between the whole image and full size at the clicked point.
  image.addEventListener('click', (event) => {
    event.stopPropagation()
    const box = image.getBoundingClientRect()
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
    if (dialog.toggleAttribute('data-full')) {
      dialog.scrollTo(
        x * dialog.scrollWidth - dialog.clientWidth / 2,
        y * dialog.scrollHeight - dialog.clientHeight / 2,
      )
    }
  })
  dialog.addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => {
    dialog.remove()
    link.focus()
  })
  dialog.append(image, close)
  document.body.append(dialog)
  dialog.showModal()
}

// --- copy -------------------------------------------------------------------------------------------------

if (navigator.clipboard) for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false

document.addEventListener('click', async (event) => {
  const button = event.target.closest?.('[data-copy]')
  if (!button) return
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
    document.getElementById('said').textContent = 'Copied.'
    recordCopy(button.closest('[data-copied]')?.dataset.copied)
    button.dataset.done = ''
    const word = [...button.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim())
    if (word) {
      word.data = 'Copied'
      setTimeout(() => {
        word.data = 'Copy'
      }, 2000)
    }
  } catch {
    getSelection().selectAllChildren(document.getElementById(button.dataset.copy))
  }
})

// Copying a public link writes an audit entry.
function recordCopy(url) {
  if (!url) return
  const token = document.querySelector('#csrf [name=csrfmiddlewaretoken]').value
  fetch(url, { method: 'POST', headers: { 'X-CSRFToken': token }, keepalive: true })
}
