// What a person did and the server did not: said at the lower edge of the page, until it is read or works.

const place = document.getElementById('trouble')
let timer = null

function tell(words) {
  clearTimeout(timer)
  const toast = document.createElement('p')
  toast.className = 'toast'
  toast.textContent = words
  place?.replaceChildren(toast)
  timer = setTimeout(() => place?.replaceChildren(), 12000)
}

const byItself = (detail) => detail.elt.matches?.('[data-region]')

document.body.addEventListener('htmx:sendError', ({ detail }) => {
  if (byItself(detail)) document.body.dataset.reach = 'lost'
  else tell('Rushes could not be reached, so nothing was sent. Try again in a moment.')
})

document.body.addEventListener('htmx:responseError', ({ detail }) => {
  if (byItself(detail)) return
  const { status } = detail.xhr
  if (status === 403) tell('This is not yours to do, or the page is too old. Reload it and try again.')
  else if (status === 404) tell('It is no longer there. Reload the page.')
  else if (status === 429) tell('That was too often. Wait a moment, then try again.')
  else tell(`That did not work; the server had a problem (${status}). What you typed is still here.`)
})

document.body.addEventListener('htmx:timeout', ({ detail }) => {
  if (!byItself(detail)) tell('The answer did not come in time. It may have worked: look before you try again.')
})
