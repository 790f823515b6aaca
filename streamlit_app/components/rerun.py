"""Runs a part of a page again."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st
from streamlit.errors import StreamlitAPIException


def rerun_fragment() -> NoReturn:
    """Run the fragment that runs now again; or the page, where Streamlit finds that all of it runs."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()
