"""A folder that ``python -m llm_observe run`` puts on the path of a program and of its children."""
