"""Sound: in files (`sound_file`), in shards (`encoding`, `codec`,
`flac_decoding`), and how loud it is (`level`).
"""
