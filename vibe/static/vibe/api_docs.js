// The theme of the system for Swagger UI, and names, levels and stops of Tab that it leaves out.

const dark = matchMedia('(prefers-color-scheme: dark)')
const dress = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', dress)
dress()

const MISSING = [
    ['#servers', 'aria-label', () => 'Server'],
    ['.examples-select-element', 'aria-label', () => 'Examples'],
    ['.close-modal', 'aria-label', () => 'Close'],
    ['.opblock-tag, .models > h4, .modal-ux-header h3', 'aria-level', () => '2'],
    [':is(.opblock, .auth-container) h4', 'aria-level', () => '3'],
    ['.opblock h5', 'aria-level', () => '4'],
    ['.responses-table', 'aria-label', table => `Responses of ${table.closest('.opblock').querySelector('.opblock-summary-control').innerText}`],
    ['.microlight', 'tabindex', () => '0'],
]

function complete() {
    for (const [selector, name, value] of MISSING)
        for (const each of document.querySelectorAll(`${selector}:not([${name}])`)) each.setAttribute(name, value(each))
    // A link within the button that opens an operation: the button does the same, and the address follows it.
    for (const link of document.querySelectorAll('.opblock-summary-control a[href]')) link.removeAttribute('href')
}

new MutationObserver(complete).observe(document.documentElement, { childList: true, subtree: true })
