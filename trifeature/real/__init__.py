"""Real data: where a set's files come from, and readers that make samples of them.

`catalog` finds and checks the files of a set by its name; each set has a module that reads them.
"""
