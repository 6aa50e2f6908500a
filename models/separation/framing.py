"""Cutting waveforms into frames, and adding frames up to waveforms.

Both directions work on blocks of one hop: a frame is a run of neighbouring
blocks, so framing is a reshape and a few slices and needs no gather. Lengths
may be Python integers or scalar tensors (a graph of unknown length).
"""

from keras import ops


def covering_frames(num_samples, window_samples: int, hop_samples: int):
    """Counts the frames needed to cover every sample, at least one.

    The formula is max(ceil((samples - window) / hop), 0) + 1.
    """
    uncovered = num_samples - window_samples
    if isinstance(uncovered, int):
        uncovered = max(uncovered, 0)
    else:
        uncovered = ops.maximum(uncovered, 0)
    return (uncovered + hop_samples - 1) // hop_samples + 1


def frame(waveform, window_samples: int, hop_samples: int, num_frames):
    """Cuts frames from the start on, with zeros after the end.

    Args:
        waveform: (batch, samples).
        window_samples: Length of a frame.
        hop_samples: Distance between the starts of two frames.

    Returns:
        (batch, num_frames, window_samples).
    """
    batch = ops.shape(waveform)[0]
    per_frame = -(-window_samples // hop_samples)
    num_blocks = num_frames + per_frame - 1
    # The padding is a constant because not every backend pads by a tensor;
    # the slice after it makes the length exact.
    padded = ops.pad(waveform, ((0, 0), (0, per_frame * hop_samples)))
    blocks = ops.reshape(
        padded[:, : num_blocks * hop_samples], (batch, num_blocks, hop_samples)
    )  # (batch, blocks, hop_samples)
    frames = ops.concatenate(
        [blocks[:, i : i + num_frames] for i in range(per_frame)], axis=-1
    )  # (batch, frames, per_frame * hop_samples)
    return frames[:, :, :window_samples]


def overlap_add(frames, hop_samples: int, num_samples):
    """Adds frames at multiples of the hop and cuts the sum to a length.

    Args:
        frames: (batch, channels, frames, window_samples). The frames must
            reach to `num_samples`.
        hop_samples: Distance between the starts of two frames.

    Returns:
        (batch, channels, num_samples).
    """
    batch, channels, num_frames, window_samples = ops.shape(frames)
    per_frame = -(-window_samples // hop_samples)
    excess = per_frame * hop_samples - window_samples
    frames = ops.pad(frames, ((0, 0), (0, 0), (0, 0), (0, excess)))
    total = 0.0
    for i in range(per_frame):
        # Block i of frame f lands on block f + i of the output.
        block = frames[..., i * hop_samples : (i + 1) * hop_samples]
        shift = ((0, 0), (0, 0), (i, per_frame - 1 - i), (0, 0))
        total = total + ops.pad(block, shift)
    # (batch, channels, frames + per_frame - 1, hop_samples)
    reach = (num_frames + per_frame - 1) * hop_samples
    waveform = ops.reshape(total, (batch, channels, reach))
    return waveform[:, :, :num_samples]
