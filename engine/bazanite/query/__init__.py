"""Queries: what is asked (``ask``), by which way it is found (``plan``, ``fetch``), in which order.

``select`` and ``stream`` answer them, ``groups`` adds rows up, ``changing`` changes those found.
"""
