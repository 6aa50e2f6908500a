from data.inspection import scan
from data.shards import stored_clip
from tests.train.small_shards import noise_clips, write_shards


def test_the_clips_drawn_may_be_of_any_shard(tmp_path):
    info = write_shards(tmp_path, noise_clips(9, 800), num_shards=3)
    stored = [f"clip{k}" for shard in range(3) for k in range(shard, 9, 3)]
    for seed in range(3):
        places = scan.draw_clips(info, ["train"], 3, seed)["train"]
        found = scan.inspect(info, ["train"], 3, seed, -70.0, workers=1)
        read = [stored_clip.read(record, info) for _, record in found.sample]
        assert [clip.clip_id for clip in read] == [stored[p] for p in places]
