// Batches: the countdown of the undo period, the current filter, and the focus after a rejected form.

// The server decides whether it is too late. This only counts down, and refetches once when the time is over.
let refetched = ''

function count() {
  const time = document.querySelector('time[data-until]')
  if (!time) return
  const left = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1000)
  const text = left > 0 ? `in ${left} s` : 'now'
  if (time.textContent !== text) time.textContent = text
  if (left <= 0 && refetched !== time.dateTime) {
    refetched = time.dateTime
    htmx.trigger(document.body, 'rushes:refetch')
  }
}

// Live updates do not know the filter of this page, so mark its link again.
function markFilter() {
  for (const link of document.querySelectorAll('.batch-counts a')) {
    const here = new URL(location)
    const there = new URL(link.href)
    if (here.searchParams.get('status') === there.searchParams.get('status'))
      link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
}

count()
setInterval(count, 250)
new MutationObserver(markFilter).observe(document.getElementById('main'), { childList: true, subtree: true })

document.getElementById('problems')?.focus()
