// Buttons that copy the text of an element. Hidden until this script is loaded.

for (const button of document.querySelectorAll('[data-copy]')) {
  const words = button.querySelector('span')
  const label = words.textContent
  button.hidden = false
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy)
    try {
      await navigator.clipboard.writeText(source.textContent)
      words.textContent = 'Copied'
      button.dataset.done = ''
    } catch {
      // There is no clipboard without HTTPS: select the text, so that it can be copied by hand.
      getSelection().selectAllChildren(source)
      words.textContent = 'Selected'
    }
    document.getElementById('said').textContent = words.textContent
    setTimeout(() => {
      words.textContent = label
      delete button.dataset.done
    }, 2000)
  })
}
