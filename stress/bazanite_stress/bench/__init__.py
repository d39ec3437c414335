"""The benchmark: Bazanite and its peers under the same workloads, in the same run.

``engine`` is the small interface that every engine has an adapter of (``engines`` lists them),
``tables`` are the rows, ``workloads`` the operations on them.  ``loop`` repeats an operation and
notes how long each took, ``worker`` is one of the measuring processes, ``crew`` starts several
together.  ``plan`` says what is measured, ``rounds`` goes through it, ``figures`` makes figures of
the rounds, ``campaign`` has the results, ``report`` and ``plots`` show them.
"""
