"""What several processes did to one database, and the proof that it was as if one after another.

events     one call: who, what, when, what came out, and at which log position
checker    replays all calls in the order of their log positions: strict serialisability
order      that of the log positions, and where calls without an answer may stand in it
rules      what the tables demand of each other's rows, at any time of a history
footprint  which rows a call can have to do with
search     looks for any order that explains a short history, believing no log position
windows    holds the checker to the search, in short stretches of a long history

Nothing here asks the engine: the model is the explorer's, in plain dictionaries.
"""
