"""Turns the calls of a trace or session into the rows of a waterfall. Nothing here knows of Streamlit."""
