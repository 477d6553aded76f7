"""Real data: where a set's files come from, and readers that make samples of them.

`catalog` finds and checks the files of a set by its name. The sets of the paper are described and
read in `paper`, small ones that packages ship in `packaged`, a user's own files in `own`.
"""
