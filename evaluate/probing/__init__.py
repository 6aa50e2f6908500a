"""Classifiers on frozen embeddings, fairly set up.

`linear_classifier` and `shallow_classifier` are trained on standardised clip
embeddings with settings that `model_selection` chooses on the training clips
alone, in `recording_folds`. `label_draws` leaves few of them; `probe` is all
of it for one pair of splits.
"""
