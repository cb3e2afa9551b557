// What a person did and the server did not: said at the lower edge of the page, until it is read or works; while a dialog
// lies over the page, within that, as nothing below it is seen or heard.

const READ_IN = 12000 // ms
let timer = null

const place = () =>
  document.querySelector('dialog:modal [data-trouble]') ?? document.getElementById('trouble')

// `words` is a text, or a list of texts and elements. What holds something to press `stays`.
export function tell(words, { stays = false } = {}) {
  clearTimeout(timer)
  const toast = document.createElement('p')
  toast.className = 'toast'
  const line = document.createElement('span') // one item of the toast, however many parts it has
  line.append(...[words].flat())
  toast.append(line)
  document.querySelectorAll('#trouble, [data-trouble]').forEach((each) => each.replaceChildren())
  place()?.replaceChildren(toast)
  if (!stays) timer = setTimeout(() => toast.remove(), READ_IN)
  return toast
}

export const UNREACHED = 'Rushes could not be reached, so nothing was sent. Try again in a moment.'

export function wordsFor(status) {
  if (status === 403) return 'This is not yours to do, or the page is too old. Reload it and try again.'
  if (status === 404) return 'It is no longer there. Reload the page.'
  if (status === 429) return 'That was too often. Wait a moment, then try again.'
  return `That did not work; the server had a problem (${status}). What you typed is still here.`
}

const byItself = (detail) => detail.elt.matches?.('[data-region]')

document.body.addEventListener('htmx:sendError', ({ detail }) => {
  if (byItself(detail)) document.body.dataset.reach = 'lost'
  else tell(UNREACHED)
})

document.body.addEventListener('htmx:responseError', ({ detail }) => {
  if (!byItself(detail)) tell(wordsFor(detail.xhr.status))
})

document.body.addEventListener('htmx:timeout', ({ detail }) => {
  if (!byItself(detail))
    tell('The answer did not come in time. It may have worked: look before you try again.')
})
