"""TDCN++ separation: waveform to separated channels."""
