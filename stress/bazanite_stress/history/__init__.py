"""What several processes did to one database, and the proof that it was as if one after another.

events   one call: who, what, when, what came out, and at which log position
checker  replays all calls in the order of their log positions: strict serialisability
search   looks for any order that explains a short history, believing no log position

Nothing here asks the engine: the model is the explorer's, in plain dictionaries.
"""
