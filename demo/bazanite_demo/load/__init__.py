"""Traffic for the demo, and kills: whether what was acknowledged to a browser is ever lost.

``python -m bazanite_demo.load`` starts a server of its own, works in it as many people would, kills
a worker process every second, and holds what is stored against what was answered.

    book            what was sent, what of it was acknowledged, what is in doubt; in memory
    verdict         what is stored, held against the book: lost, changed, half, twice, unasked for
    reading         what is stored, read from the directory or through the pages
    html            forms, links and comments of a page
    browser         a connection, its cookies, and whose worker's death excuses its end
    client          what one person does, planned by a seed
    killer          whom to kill, who was killed when, and a look at the data after each kill
    served          the server's processes
    run             all of them together, once
    report          figures and verdict, as a table or JSON

Three rules make an exact verdict possible without knowing how requests interleave:

1. Each write has a number, and all that it stores follows from that number.  A row that mixes two
   writes is half of each.
2. A row's version is one more with each edit, and an edit says which version it was made for.  So
   for each version there is one edit at the most, on a row that one client edits or all of them.
3. A write is in the book before it is sent, and its acknowledgement after the answer.  What is read
   has at least what was acknowledged before, and nothing but what was sent until then.
"""
