"""Sound: in files (`sound_file`), in shards (`encoding`, `codec`),
and how loud it is (`level`).
"""
