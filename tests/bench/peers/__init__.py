"""What a user would take instead, one function for each piece of work.

They run in .venv-bench (requirements-bench.txt), without TensorFlow and
without anything of ours but `tests.bench.work`. The networks are restated in
PyTorch from their papers.
"""
