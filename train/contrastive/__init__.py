"""Contrastive pretraining.

`view_pipeline` feeds the `learner` with pairs of views (or `on_the_fly`
separates in its step), with batch norm in one kernel (`fused_batch_norm`);
`pretraining` runs it, from an `initial_encoder` maybe.
`accumulated_gradients` gives the gradient of a large batch in `micro_batches`;
`snapshots` keep encoders, and a `probe_curve` measures them on the way.
"""
