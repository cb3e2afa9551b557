// Unsent input in forms.

function isChanged(control) {
  if (control.type === 'hidden' || control.disabled) return false
  if (control.type === 'checkbox' || control.type === 'radio')
    return control.checked !== control.defaultChecked
  if (control.type === 'select-one') {
    const own = Math.max(
      0,
      [...control.options].findLastIndex((option) => option.defaultSelected),
    )
    return control.selectedIndex !== own
  }
  if (control.type === 'file') return control.files.length > 0
  return 'defaultValue' in control && control.value !== control.defaultValue
}

// Whether leaving the page would lose input.
const hasUnsentInput = () =>
  [...document.forms].some((form) => [...form.elements].some(isChanged)) ||
  document.querySelector('.tool-field-uploading') !== null

export { hasUnsentInput, isChanged }
