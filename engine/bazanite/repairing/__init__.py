"""Making a sound directory of a damaged one: what can be proven or read is saved, all else told.

``repair`` is the way in; the parts read (``source``, ``catalogs``, ``slots``), decide
(``witnesses``), and write the new directory (``writing``).
"""
