"""Segments: which contacts of an account are meant, said in a small language.

Owns `segment` and `segment_member`, and the way from a source to rows. Must not plan or send.

`source -> lexer -> parser -> tree -> checking -> typed -> compiling -> SQL`. Up to there all is
pure: `compiling.compiled(source, names, moment)` gives `(sql, parameters)`, a SELECT of `id` over
`contact`. `after=5` lets its first parameter be `$6`, so that it can stand in parentheses within a
larger statement. `names` is what an account's names stand for: `reading.names_of()` reads it.
`moment` is `Moment.at(now, zone)` with the account's zone: `now`, `today` and `zone` are to be
stored beside what was counted or planned. All of it raises `mistakes.SegmentRefused`, whose
`mistakes` have `column`, `detail` and `code`.

A saved segment is asked for by `segment("name")`, and left out by `not segment("name")`.
"""
