import dataclasses
import hashlib
import pathlib

import pytest

from data.jobs import shard_jobs
from data.run.errors import UserError
from tests.data.jobs.runners import another_process

ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class CountTask:
    shard: str
    numbers: tuple[int, ...]

    @property
    def num_items(self):
        return len(self.numbers)


def tasks(count=5):
    return [CountTask(f"{k}.txt", (10 * k, 10 * k + 1)) for k in range(count)]


def make_numbers(tasks, shards):
    for task in tasks:
        with shards.writing(task) as (path, account):
            path.write_text("".join(f"{number}\n" for number in task.numbers))
            account["sum"] = sum(task.numbers)
        yield task


def fail_at_20(tasks, shards):
    for task in tasks:
        if 20 in task.numbers:
            with shards.writing(task) as (path, _):
                path.write_text("half")
                raise UserError("twenty is bad")
        yield from make_numbers([task], shards)


def run(folder, todo, make=make_numbers, **options):
    return shard_jobs.run("job", make, todo, folder, **options)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_accounts_and_files_are_the_same_here_and_elsewhere(tmp_path):
    for runner in None, another_process:
        accounts = run(tmp_path / str(runner), tasks(), runner=runner)
        assert [a["shard"] for a in accounts] == [t.shard for t in tasks()]
        assert [a["sum"] for a in accounts] == [1, 21, 41, 61, 81]
        assert [a["num_bytes"] for a in accounts] == [4, 6, 6, 6, 6]
    here, elsewhere = map(files, tmp_path.iterdir())
    assert here == elsewhere and here["3.txt"] == b"30\n31\n"


def test_a_rerun_makes_only_what_is_not_done(tmp_path):
    first = run(tmp_path, tasks())
    whole = files(tmp_path)
    made = []

    def spy(tasks, shards):
        for task in make_numbers(tasks, shards):
            made.append(task.shard)
            yield task

    assert run(tmp_path, tasks(), spy) == first
    assert made == []

    (tmp_path / "1.txt").unlink()
    (tmp_path / "2.txt").write_text("cut")
    (tmp_path / "accounts" / "3.txt.json").write_text("{")
    account = tmp_path / "accounts" / "4.txt.json"
    account.write_text(account.read_text().replace(" 81", ' "81"'))
    (tmp_path / ".writing-0-4.txt").write_text("left by a kill")
    assert run(tmp_path, tasks(), spy) == first
    assert made == ["1.txt", "2.txt", "3.txt", "4.txt"]
    assert files(tmp_path) == whole


def test_changed_tasks_are_redone_and_foreign_shards_removed(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    run(tmp_path, tasks())
    index = tmp_path / "index.json"
    index.write_text("of five files")
    run(tmp_path, tasks(), index_file="index.json")
    assert index.exists() and "were made" not in caplog.text
    changed = [CountTask("0.txt", (7,)), *tasks()[1:3]]
    run(tmp_path, changed, index_file="index.json")
    assert "1 of the files there were made from something else" in caplog.text
    assert "again (0.txt)" in caplog.text and "(3.txt, 4.txt)" in caplog.text
    assert not index.exists()
    run(tmp_path / "new", changed)
    again = files(tmp_path / "new")
    for name in again:
        (tmp_path / "new" / name).unlink()
    assert files(tmp_path) == again
    assert again["0.txt"] == b"7\n" and "4.txt" not in again


def test_a_folder_without_an_index_keeps_the_files_of_others(tmp_path):
    run(tmp_path, tasks(3))
    whole = files(tmp_path)
    run(tmp_path, [CountTask("other.txt", (7,))])
    assert whole.items() <= files(tmp_path).items()


def test_accounts_have_the_digests_of_the_files(tmp_path):
    for account in run(tmp_path, tasks(2)):
        data = (tmp_path / account["shard"]).read_bytes()
        assert account["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("runner", [None, another_process])
def test_an_error_of_a_shard_is_passed_on(tmp_path, runner):
    with pytest.raises(UserError, match="twenty is bad"):
        run(tmp_path, tasks(), fail_at_20, runner=runner)
    # What was finished before is kept.
    assert {".lock", *made_of(2)} == files(tmp_path).keys()


def made_of(count):
    """Files of the first shards."""
    for k in range(count):
        yield from (f"{k}.txt", f"accounts/{k}.txt.json")


def test_on_account_sees_all_accounts_and_can_stop_the_job(tmp_path):
    seen = []
    run(tmp_path, tasks(2))
    run(tmp_path, tasks(4), on_account=seen.append)
    assert [account["sum"] for account in seen] == [1, 21, 41, 61]

    def stop(account):
        raise UserError("enough")

    with pytest.raises(UserError, match="enough"):
        run(tmp_path / "b", tasks(), on_account=stop)
    assert {".lock", *made_of(1)} == files(tmp_path / "b").keys()


def test_progress_counts_items_also_within_a_shard(
    tmp_path, monkeypatch, capsys
):
    shown = []
    update = shard_jobs.Progress.update

    def spy(progress, done):
        shown.append(done)
        update(progress, done)

    def make(tasks, shards):
        for task in make_numbers(tasks, shards):
            for _ in task.numbers[1:]:  # All but one.
                shards.advance()
            yield task

    monkeypatch.setattr(shard_jobs.Progress, "update", spy)
    run(tmp_path, tasks(1))
    run(tmp_path, tasks(3), make)
    assert shown == [2, 3, 4, 5, 6]
    assert "job: 6/6 clips (100%)" in capsys.readouterr().err
