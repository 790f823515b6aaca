"""A button that copies a text. Streamlit has one for code blocks alone."""

from __future__ import annotations

from typing import Final

import streamlit as st

_CSS: Final = """
button { font: 0.85rem var(--st-font); color: var(--st-gray-text-color, inherit); background: none; border: 0;
  border-radius: 0.4rem; padding: 0.2rem 0.45rem; cursor: pointer; line-height: 1.4; white-space: nowrap; }
button:hover { color: var(--st-text-color); background: var(--st-secondary-background-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); }
"""
# Without a secure address a browser has no clipboard: then the text is selected and copied.
_JS: Final = """
function copyBySelecting(text) {
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
export default function ({ data, parentElement }) {
  let button = parentElement.querySelector('button');
  if (!button) {
    button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    parentElement.append(button);
  }
  button.onclick = async () => {
    if (navigator.clipboard) await navigator.clipboard.writeText(data); else copyBySelecting(data);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };
}
"""


def copy_button(text: str, *, key: str) -> None:
    """Show a button that copies a text."""
    component = st.components.v2.component("llm_observe_copy", css=_CSS, js=_JS)
    component(data=text, key=key, width="content")
