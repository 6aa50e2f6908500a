"""Which recordings there are, with their labels and splits: a `manifest`.

One file for each --source: `sound_folder`, `esc`, `fsd50k`, `audioset`. They
share `recording_files` and `label_table`.
"""
