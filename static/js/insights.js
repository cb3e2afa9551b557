// A chart is one stop for the Tab key, and arrow keys go from mark to mark; what is pointed at is said above it.
// Without this script every mark is a stop, and the browser shows its words by itself.

for (const chart of document.querySelectorAll('[data-chart]')) {
  const readout = chart.querySelector('.insights-readout')
  const usual = readout?.textContent ?? ''

  const say = (mark) => {
    if (!readout) return
    readout.textContent = mark ? mark.getAttribute('aria-label') : usual
    readout.toggleAttribute('data-of', Boolean(mark))
  }

  for (const drawing of chart.querySelectorAll('svg')) {
    const marks = [...drawing.querySelectorAll('a')]
    marks.slice(1).forEach((mark) => mark.setAttribute('tabindex', '-1'))
    drawing.addEventListener('keydown', (event) => {
      const here = marks.indexOf(document.activeElement)
      const to = {
        ArrowRight: here + 1,
        ArrowDown: here + 1,
        ArrowLeft: here - 1,
        ArrowUp: here - 1,
        Home: 0,
        End: marks.length - 1,
      }[event.key]
      if (here < 0 || to === undefined || !marks[to]) return
      event.preventDefault()
      marks[here].setAttribute('tabindex', '-1')
      marks[to].setAttribute('tabindex', '0')
      marks[to].focus()
    })
  }

  chart.addEventListener('pointerover', (event) => say(event.target.closest?.('svg a')))
  chart.addEventListener('pointerleave', () => say(null))
  chart.addEventListener('focusin', (event) => say(event.target.closest?.('svg a')))
  chart.addEventListener('focusout', () => say(null))
}
