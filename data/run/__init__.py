"""What every command does alike.

`entry_point` and `environment` start it, `flag_fields` makes flags of its
configuration, `errors` and `rejects` say what was wrong, `run_directory` with
`run_lock` keeps what it made, `content` knows what it was made from,
`atomic_write` and `csv_table` write files whole, `json_file` reads what others
may have changed. `processor_files` and `encoder_files` name what one stage
leaves to the next, `saved_network` loads it.
"""
