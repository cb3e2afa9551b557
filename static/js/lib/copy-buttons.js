// Buttons that copy the text of the element they name. They are hidden until this script is there.

for (const button of document.querySelectorAll('[data-copy]')) {
  const words = button.querySelector('span')
  const usual = words.textContent
  button.hidden = false
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy)
    try {
      await navigator.clipboard.writeText(source.textContent)
      words.textContent = 'Copied'
      button.dataset.done = ''
    } catch {
      // Without a secure address there is no clipboard: what is selected can be copied by hand.
      getSelection().selectAllChildren(source)
      words.textContent = 'Selected'
    }
    document.getElementById('said').textContent = words.textContent
    setTimeout(() => {
      words.textContent = usual
      delete button.dataset.done
    }, 2000)
  })
}
