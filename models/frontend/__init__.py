"""Waveform to log-mel spectrogram."""
