"""From sound files of any length to embeddings of their windows.

`sound_inputs` finds the files. `mono_blocks` decodes them piece by piece,
`window_cutter` cuts the windows, `recording_job` encodes those of each file.
`window_store` holds them all, ready for search; `window_tables` writes them as
CSV and Parquet.
"""
