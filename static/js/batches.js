// Batches: the seconds in which one can be undone, and where one is after a form was not taken.

// The server decides whether it is too late; this only counts, and asks it once the time is over.
let asked = ''

function count() {
  const time = document.querySelector('time[data-until]')
  if (!time) return
  const left = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1000)
  const text = left > 0 ? `in ${left} s` : 'now'
  if (time.textContent !== text) time.textContent = text
  if (left <= 0 && asked !== time.dateTime) {
    asked = time.dateTime
    htmx.trigger(document.body, 'rushes:ask')
  }
}

// A live update does not know which of the jobs this page shows.
function mark() {
  for (const link of document.querySelectorAll('.batch-tally a')) {
    const here = new URL(location)
    const there = new URL(link.href)
    if (here.searchParams.get('status') === there.searchParams.get('status'))
      link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
}

count()
setInterval(count, 250)
new MutationObserver(mark).observe(document.getElementById('main'), { childList: true, subtree: true })

document.getElementById('problems')?.focus()
