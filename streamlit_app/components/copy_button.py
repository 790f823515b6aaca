"""A button that copies a text. Streamlit has one for code blocks alone."""

from __future__ import annotations

from typing import Final

import streamlit as st

# Styles of its own would be an element, which nothing in a message may be.
_STYLE: Final = (
    "font: 0.85rem var(--st-font); color: inherit; opacity: 0.75; background: none; border: 0;"
    "padding: 0.2rem 0.4rem; cursor: pointer; white-space: nowrap"
)
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
    button.style.cssText = data.style;
    parentElement.append(button);
  }
  button.onclick = async () => {
    if (navigator.clipboard) await navigator.clipboard.writeText(data.text); else copyBySelecting(data.text);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };
}
"""


def copy_button(text: str, *, key: str) -> None:
    """Show a button that copies a text."""
    component = st.components.v2.component("llm_observe_copy", js=_JS)
    component(data={"text": text, "style": _STYLE}, key=key, width="content")
