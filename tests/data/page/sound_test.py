import numpy as np

from data.page.sound import SoundBundle


def test_sound_bundle_stays_within_its_size():
    audio = np.random.default_rng(0).uniform(-1, 1, 4001)
    once = SoundBundle(16000, 10**6)
    once.add("a", audio)
    bundle = SoundBundle(16000, once.num_bytes + 10)
    assert bundle.add("a", audio) == "a"
    assert bundle.add("b", audio) is None
    assert bundle.add("a", audio) == "a"
    assert bundle.num_bytes == len(bundle.encoded["a"]) == once.num_bytes
