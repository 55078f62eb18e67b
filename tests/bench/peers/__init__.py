"""The other programs of the comparison. They run in a venv of their own and know nothing of touchstream's code."""
