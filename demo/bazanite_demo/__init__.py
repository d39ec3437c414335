"""A task manager on Bazanite, served by several processes that share one data directory.

``python -m bazanite_demo`` starts it.  ``tables`` is what is stored, ``pages`` what is shown;
``noted`` and ``stored`` are what each page tells about the calls that it made and the bytes that it
read; ``server`` starts the worker processes.
"""
