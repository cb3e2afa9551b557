// One file's page: enlarges its image.

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
