// Uploads one file: checks whether it would be accepted, sends it, then polls until it is ready.
// This module renders nothing; callers such as upload.js and file-picker.js show the state.

import { renew } from './session.js'

const POLL_DELAYS = [1000, 1500, 2000, 3000, 5000] // ms between polls of a file that is processing
const HEAD = 4096 // bytes from which the type is detected
const SESSION_OVER = 'You are signed out. Sign in in another tab, then try again.'
const UNREACHED = 'Rushes is not reachable. Try again.'

export class Upload {
  // `onChange(upload)` is called at every change.
  // state: waiting, sending, forwarding (Rushes sends it to VideoGen), processing, ready, failed, cancelled
  constructor(file, { url, statesUrl, onChange }) {
    Object.assign(this, {
      file,
      url,
      statesUrl,
      onChange,
      name: file.name || `pasted-${Date.now()}`,
      state: 'waiting',
      sent: 0,
      problem: '',
      answer: null,
    })
  }

  get canCancel() {
    return ['waiting', 'sending', 'forwarding'].includes(this.state)
  }

  get canRetry() {
    return ['failed', 'cancelled'].includes(this.state)
  }

  change(update) {
    Object.assign(this, update)
    this.onChange(this)
  }

  async start() {
    this.change({ state: 'sending', sent: 0, problem: '', answer: null })
    try {
      await this.check()
      if (this.state === 'cancelled') return
      const answer = await this.send('', this.file, true)
      this.change({ answer, state: answer.state, problem: answer.problem })
      await this.follow()
    } catch (problem) {
      if (this.state !== 'cancelled') this.change({ state: 'failed', problem: problem.message })
    }
  }

  // The first bytes and the size are enough to reject a file before gigabytes are sent.
  async check() {
    if (!this.file.size) throw new Error('The file is empty.')
    await this.send(`&check=${this.file.size}`, this.file.slice(0, HEAD), false)
  }

  cancel() {
    if (!this.canCancel) return
    this.state = 'cancelled'
    this.request?.abort()
    this.change({ problem: 'Cancelled.' })
  }

  // VideoGen has the file and is processing it; this page no longer waits for it.
  forget() {
    if (this.state === 'processing') this.change({ state: 'cancelled', problem: '' })
  }

  send(query, body, isWhole, isRetry = false) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest()
      this.request = request
      request.open('POST', `${this.url}?name=${encodeURIComponent(this.name)}${query}`)
      request.setRequestHeader(
        'X-CSRFToken',
        document.querySelector('#csrf [name="csrfmiddlewaretoken"]').value,
      )
      request.setRequestHeader('Content-Type', 'application/octet-stream')
      if (isWhole) {
        request.upload.addEventListener('progress', ({ loaded, total }) =>
          this.change({ sent: loaded / (total || 1) }),
        )
        request.upload.addEventListener('load', () => this.change({ state: 'forwarding', sent: 1 }))
      }
      request.addEventListener('error', () => reject(new Error(UNREACHED)))
      request.addEventListener('abort', () => reject(new Error('Cancelled.')))
      request.addEventListener('load', () => {
        let answer = null
        try {
          answer = JSON.parse(request.responseText)
        } catch {
          /* a page, or nothing */
        }
        if (answer && request.status < 300) resolve(answer)
        else if (answer?.error) reject(new Error(answer.error))
        // A new sign-in in another tab has changed the CSRF token.
        else if (request.status === 403 && !isRetry)
          renew()
            .then((isFresh) =>
              isFresh ? this.send(query, body, isWhole, true) : Promise.reject(new Error(SESSION_OVER)),
            )
            .then(resolve, reject)
        else if (request.status < 400 || request.status === 403) reject(new Error(SESSION_OVER))
        else if (request.status === 413) reject(new Error('The file is too large.'))
        else if (request.status === 507) reject(new Error('The server has no space for this file right now.'))
        else reject(new Error(`The server had a problem (${request.status}). Try again.`))
      })
      request.send(body)
    })
  }

  async follow() {
    for (let tries = 0; this.state === 'processing'; tries += 1) {
      await new Promise((resolve) =>
        setTimeout(resolve, POLL_DELAYS[Math.min(tries, POLL_DELAYS.length - 1)]),
      )
      try {
        const answer = await fetch(`${this.statesUrl}?id=${this.answer.id}`, {
          headers: { Accept: 'application/json' },
        })
        const found = answer.ok && !answer.redirected ? (await answer.json()).files[0] : null
        if (found && this.state === 'processing')
          this.change({ answer: found, state: found.state, problem: found.problem })
      } catch {
        /* polled again */
      }
    }
  }
}

// Runs a few uploads at a time.
export class Queue {
  constructor(maxRunning = 3) {
    this.maxRunning = maxRunning
    this.running = 0
    this.waiting = []
  }

  add(upload) {
    this.waiting.push(upload)
    this.next()
  }

  next() {
    while (this.running < this.maxRunning && this.waiting.length) {
      const upload = this.waiting.shift()
      if (upload.state !== 'waiting') continue
      this.running += 1
      // The next upload starts while VideoGen processes this one.
      let isFree = false
      const free = () => {
        if (!isFree) {
          isFree = true
          this.running -= 1
          this.next()
        }
      }
      const onChange = upload.onChange
      upload.onChange = (changed) => {
        onChange(changed)
        if (!changed.canCancel) free()
      }
      upload.start().finally(() => {
        upload.onChange = onChange
        free()
      })
    }
  }
}

export function filesOf(transfer) {
  return [...(transfer?.files ?? [])]
}
