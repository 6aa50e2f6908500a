import pytest

from data.audio.sound_file import AudioRejected
from data.sources.recording_files import Segment


@pytest.mark.parametrize(
    "start_s, end_s, may_be_cut_out, file_seconds, place",
    [
        # The segment alone, somewhat short or long.
        (30, 40, True, 9.2, (0, 9.2)),
        (30, 40, True, 10.5, (0, 10)),
        # The whole video.
        (30, 40, True, 120.0, (30, 40)),
        (3, 10, True, 9.7, (3, 9.7)),
        (0, 7, True, 4.0, (0, 4)),
        # Known to be the whole video.
        (2, 10, False, 10.0, (2, 10)),
    ],
)
def test_the_length_tells_a_segment_from_a_video(
    start_s, end_s, may_be_cut_out, file_seconds, place
):
    segment = Segment(start_s, end_s, may_be_cut_out)
    assert segment.place(file_seconds, 0.25) == place


@pytest.mark.parametrize(
    "segment, file_seconds, told",
    [
        (Segment(30, 40, True), 10.6, "10.60 s it is neither.*30 to 40 s"),
        (Segment(30, 40, True), 39.4, "39.40 s it is neither"),
        (Segment(30, 40, False), 10.0, "10.00 s it is neither"),
        (Segment(30, 30.2, True), 60.0, "0.2 s is shorter than"),
    ],
)
def test_a_length_that_fits_neither_or_is_too_short_is_refused(
    segment, file_seconds, told
):
    with pytest.raises(AudioRejected, match=told):
        segment.place(file_seconds, 0.25)
