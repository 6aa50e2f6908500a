"""Our side of `make bench`: one function for each piece of work.

`steps`, `embedding`, `losses`, `measures`, `programs`. Each makes a `Work` by
the public functions that the programs call.
"""
