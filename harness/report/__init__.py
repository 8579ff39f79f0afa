"""Many utterances: tables, summaries, and the files that people open.

Here: the rows of a run, pooled into one document (`rows`, `summary`, `document`), and written (`build`, `write`, `verify`).
comparison  a run beside others: paired utterance by utterance, with verdicts that luck does not earn
gates       rules that a run must keep, and whether it does
page        what is drawn: one HTML file that works from disk, without a request
pairs       transcripts that somebody already has: read from their files, scored as a table
"""
