"""What every command does alike.

`entry_point` and `environment` start it, `flag_fields` makes flags of its
configuration, `errors` and `rejects` say what was wrong, `run_directory` with
`run_lock` keeps what it made, `content` knows what it was made from,
`atomic_write` and `csv_table` write files whole, `progress` tells how far it
is. `processor_files` and `encoder_files` name what
one stage leaves to the next.
"""
