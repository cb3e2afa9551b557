// Toasts for actions that the server did not carry out, at the lower edge of the page. While a modal dialog is open
// they appear inside it, because everything below a dialog is neither visible nor announced.

const SHOWN_FOR = 12000 // ms
let timer = null

const place = () =>
  document.querySelector('dialog:modal [data-trouble]') ?? document.getElementById('trouble')

// `words` is a text, or a list of texts and elements. A toast with a button `stays`.
export function showToast(words, { stays = false } = {}) {
  clearTimeout(timer)
  const toast = document.createElement('p')
  toast.className = 'toast'
  const line = document.createElement('span') // one flex item, however many parts it has
  line.append(...[words].flat())
  toast.append(line)
  document.querySelectorAll('#trouble, [data-trouble]').forEach((each) => each.replaceChildren())
  place()?.replaceChildren(toast)
  if (!stays) timer = setTimeout(() => toast.remove(), SHOWN_FOR)
  return toast
}

export const UNREACHED = 'Cannot reach Rushes. Nothing was sent. Try again in a moment.'

export function messageFor(status) {
  if (status === 403) return 'You don’t have permission, or the page has expired. Reload it and try again.'
  if (status === 404) return 'It no longer exists. Reload the page.'
  if (status === 429) return 'Too many requests. Wait a moment, then try again.'
  return `Something went wrong on the server (${status}). Your input is still here.`
}

const isAutomatic = (detail) => detail.elt.matches?.('[data-region]')

document.body.addEventListener('htmx:sendError', ({ detail }) => {
  if (isAutomatic(detail)) document.body.dataset.reach = 'lost'
  else showToast(UNREACHED)
})

document.body.addEventListener('htmx:responseError', ({ detail }) => {
  if (!isAutomatic(detail)) showToast(messageFor(detail.xhr.status))
})

document.body.addEventListener('htmx:timeout', ({ detail }) => {
  if (!isAutomatic(detail))
    showToast('The server did not respond in time. The action may have worked: check before you try again.')
})
