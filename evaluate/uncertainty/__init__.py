"""How far a figure would move with other recordings.

`influence` says what each clip does to a figure; an `interval` and a
`paired_test` of two representations follow from it.
"""
