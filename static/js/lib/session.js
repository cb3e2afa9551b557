// The session is over, or was begun anew in another tab, with another token: whatever is typed on this page stays.

import { hasUnsentInput } from './form-changes.js'
import { UNREACHED, tell } from './toast.js'

const signIn = document.body.dataset.signIn
let told = null // the word that it is over

const TOKENS = '[name=csrfmiddlewaretoken]'
const tokenOf = (page) => page.querySelector(TOKENS)?.value ?? ''
const personOf = (page) => page.querySelector('.person-name')?.textContent

// Every request without a session is led to the sign-in page.
export const isSignIn = (url) => new URL(url, location).pathname === signIn
const isTooOld = (answer) => answer.includes('id="too-old"') // see 403_csrf.html

// --- what is said -----------------------------------------------------------------------------------------

export function sayItIsOver(then = 'try again') {
  const link = Object.assign(document.createElement('a'), {
    href: signIn,
    target: '_blank',
    rel: 'noopener',
    textContent: 'Sign in in another tab',
  })
  told = tell(['You are signed out. ', link, `, then ${then}.`], { stays: true })
}

// What the page asks by itself, or while one types, says it once.
function stay({ elt, verb }) {
  const isStart = elt.id === 'composer'
  if (verb === 'post' && elt.id !== 'before') sayItIsOver(isStart ? 'press Start again' : 'try again')
  else if (!told?.isConnected) sayItIsOver('go on here')
}

// --- requests of htmx -------------------------------------------------------------------------------------

// A sign-in page must not land inside this one.
document.body.addEventListener('htmx:beforeSwap', ({ detail }) => {
  const { requestConfig, xhr } = detail
  if (!isSignIn(xhr.responseURL)) return
  detail.shouldSwap = false
  if (requestConfig.verb === 'post' || hasUnsentInput()) stay(requestConfig)
  else location.reload()
})

document.body.addEventListener('htmx:afterRequest', ({ detail }) => {
  if (detail.successful && !isSignIn(detail.xhr.responseURL)) told?.remove()
})

// Signing in replaces the token that the forms of this page hold: they get the new one, and what was refused for the old
// one is sent once more.
const again = new WeakSet()

document.body.addEventListener('htmx:beforeOnLoad', (event) => {
  const { requestConfig, xhr } = event.detail
  if (xhr.status !== 403 || again.has(requestConfig.elt) || !isTooOld(xhr.response)) return
  event.preventDefault()
  sendAgain(requestConfig)
})

async function sendAgain({ elt, path, verb, triggeringEvent }) {
  if (!(await renew(() => stay({ elt, verb })))) return
  again.add(elt)
  await htmx.ajax(verb, path, { source: elt, event: triggeringEvent }).catch(() => {})
  again.delete(elt)
}

// --- requests of our own ----------------------------------------------------------------------------------

// The answer; or null, and what is wrong was said.
export async function call(url, options = {}, isAgain = false) {
  const headers = {
    ...options.headers,
    ...(options.method === 'POST' && { 'X-CSRFToken': tokenOf(document) }),
  }
  const answer = await fetch(url, { ...options, headers }).catch(() => null)
  if (!answer) tell('Rushes could not be reached. Try again in a moment.')
  else if (isSignIn(answer.url)) sayItIsOver()
  else if (answer.status === 403 && !isAgain && isTooOld(await answer.clone().text()))
    return (await renew()) ? call(url, options, true) : null
  else return answer
  return null
}

// Gives the forms of the page a token that is good, for the person whose page it is. Whoever is signed in is led on from
// the sign-in page to one with their name on it.
export async function renew(over = () => sayItIsOver()) {
  const answer = await fetch(signIn).catch(() => null)
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (!page) tell(UNREACHED)
  else if (isSignIn(answer.url)) over()
  else if (personOf(page) !== personOf(document))
    tell(
      'You are signed in as somebody else now, so nothing was sent. Copy what you typed, then reload the page.',
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
