// On a phone the main bar may be wider than the window: it begins where the page stands in it.

document.querySelector('.rail nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
