// Selecting files in the library: the count, and ranges with the Shift key.

const form = document.getElementById('chosen')
const boxes = () => [...document.querySelectorAll('.file-tile-pick input')]
let last = null // the box that was clicked last

function count() {
  const number = boxes().filter((box) => box.checked).length
  form.querySelector('[data-count]').textContent = number || ''
  const isTooMany = number > Number(form.dataset.max)
  form.querySelector('[data-too-many]').hidden = !isTooMany
  form.querySelectorAll('button:not([type=reset])').forEach((button) => {
    button.disabled = isTooMany
  })
}

document.addEventListener('click', (event) => {
  const box = event.target
  if (!box.matches?.('.file-tile-pick input')) return
  if (event.shiftKey && last?.isConnected) {
    const all = boxes()
    const [from, to] = [all.indexOf(last), all.indexOf(box)].toSorted((a, b) => a - b)
    all.slice(from, to + 1).forEach((each) => {
      each.checked = box.checked
    })
  }
  last = box
  count()
})

form.addEventListener('reset', () => setTimeout(count))
window.addEventListener('pageshow', count)
