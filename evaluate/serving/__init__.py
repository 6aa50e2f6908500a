"""SavedModels, ONNX and TensorFlow Lite files.

`served_runs` finds what is asked for, `served_networks` loads it. `signatures`
is what a SavedModel answers (`padded_clips`, `wav_bytes`, `resampling`),
`saved_model` writes it, `warmup` and `server_files` what goes with it.
`onnx_file` and `tflite_file` write a `plain_graph`, by `fourier_products`.
"""
