"""Many utterances: tables, summaries, and the files that people open.

    rows ─► summary ─► tables, words ─► page

rows         one planned session at a time, and what lies behind it
difference   two sets of rows side by side: paired, and what the difference is worth
summary      many rows pooled into one document
tables       a run as tables: columns, data frames, files
words        a run in words: warnings, verdict, text and Markdown
pairs        transcripts that somebody already has: read from their files, scored as a table
gates        rules that a run must keep, and whether it does
comparison   a run beside others, with verdicts that luck does not earn
page         what is drawn: one HTML file that works from disk, without a request

`assembly` works a run folder out, `build` writes all its files, `verify` works everything out again and compares.
"""
