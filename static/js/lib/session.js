// Handles a session that has ended, or was renewed in another tab with another token, without losing typed text.

import { hasUnsentInput } from './form-changes.js'
import { UNREACHED, showToast } from './toast.js'

const signIn = document.body.dataset.signIn
let toast = null // says that the session has ended

const TOKENS = '[name=csrfmiddlewaretoken]'
const tokenOf = (page) => page.querySelector(TOKENS)?.value ?? ''
const personOf = (page) => page.querySelector('.person-name')?.textContent

// Requests without a session are redirected to the sign-in page.
export const isSignIn = (url) => new URL(url, location).pathname === signIn
const isExpiredToken = (answer) => answer.includes('id="too-old"') // see 403_csrf.html

// --- messages ---------------------------------------------------------------------------------------------

export function showSignedOut(then = 'try again') {
  const link = Object.assign(document.createElement('a'), {
    href: signIn,
    target: '_blank',
    rel: 'noopener',
    textContent: 'Sign in in another tab',
  })
  toast = showToast(['You are signed out. ', link, `, then ${then}.`], { stays: true })
}

// Automatic requests, and those sent while typing, show the message only once.
function reportSignedOut({ elt, verb }) {
  const isStart = elt.id === 'composer'
  if (verb === 'post' && elt.id !== 'before') showSignedOut(isStart ? 'press Start again' : 'try again')
  else if (!toast?.isConnected) showSignedOut('continue here')
}

// --- requests of htmx -------------------------------------------------------------------------------------

// The sign-in page must not be swapped into this one.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const { requestConfig, xhr } = detail
  if (!isSignIn(xhr.responseURL)) return
  detail.shouldSwap = false
  if (requestConfig.verb === 'post' || hasUnsentInput()) reportSignedOut(requestConfig)
  else location.reload()
})

document.body.addEventListener('htmx:afterRequest', ({ detail }) => {
  if (detail.successful && !isSignIn(detail.xhr.responseURL)) toast?.remove()
})

// Signing in invalidates the token in the forms of this page. They get the new one, and a request that was rejected
// because of the old one is repeated.
const resending = new WeakSet()

document.body.addEventListener('htmx:beforeOnLoad', (event) => {
  const { requestConfig, xhr } = event.detail
  if (xhr.status !== 403 || resending.has(requestConfig.elt) || !isExpiredToken(xhr.response)) return
  event.preventDefault()
  resend(requestConfig)
})

async function resend({ elt, path, verb, triggeringEvent }) {
  if (!(await renew(() => reportSignedOut({ elt, verb })))) return
  resending.add(elt)
  await htmx.ajax(verb, path, { source: elt, event: triggeringEvent }).catch(() => {})
  resending.delete(elt)
}

// --- requests of other scripts ----------------------------------------------------------------------------

// The response; or null after showing what is wrong.
export async function call(url, options = {}, isRetry = false) {
  const headers = {
    ...options.headers,
    ...(options.method === 'POST' && { 'X-CSRFToken': tokenOf(document) }),
  }
  const answer = await fetch(url, { ...options, headers }).catch(() => null)
  if (!answer) showToast('Rushes is not reachable. Try again in a moment.')
  else if (isSignIn(answer.url)) showSignedOut()
  else if (answer.status === 403 && !isRetry && isExpiredToken(await answer.clone().text()))
    return (await renew()) ? call(url, options, true) : null
  else return answer
  return null
}

// Gives the forms of the page a valid token, if the same person is signed in. Signed-in people are redirected from the
// sign-in page to a page with their name.
export async function renew(over = () => showSignedOut()) {
  const answer = await fetch(signIn).catch(() => null)
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (!page) showToast(UNREACHED)
  else if (isSignIn(answer.url)) over()
  else if (personOf(page) !== personOf(document))
    showToast(
      'You are now signed in as another person, so nothing was sent. Copy what you typed, then reload the page.',
      { stays: true },
    )
  else {
    document.querySelectorAll(TOKENS).forEach((input) => {
      input.value = tokenOf(page)
    })
    return true
  }
  return false
}
