// A chart is one Tab stop, arrow keys move between its marks, and the label of the current mark is shown above it.
// Without this script every mark is a Tab stop.

for (const chart of document.querySelectorAll('[data-chart]')) {
  const readout = chart.querySelector('.insights-readout')
  const label = readout?.textContent ?? ''

  const show = (mark) => {
    if (!readout) return
    readout.textContent = mark ? mark.getAttribute('aria-label') : label
    readout.toggleAttribute('data-marked', Boolean(mark))
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

  chart.addEventListener('pointerover', (event) => show(event.target.closest?.('svg a')))
  chart.addEventListener('pointerleave', () => show(null))
  chart.addEventListener('focusin', (event) => show(event.target.closest?.('svg a')))
  chart.addEventListener('focusout', () => show(null))
}
