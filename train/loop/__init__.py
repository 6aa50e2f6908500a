"""What both trainers share.

`training_loop` is the loop, of `training_options`. An `optimizers` update goes
through `guarded_update`. `checkpoints` and `stop_signal` let it be killed and
go on; `distribution`, `cluster` and `cross_replica` spread it over devices;
`training_log` and `step_records` tell of its steps.
"""
