"""Jobs make one file a task, and a rerun makes only what is missing.

A file is written whole or not at all, and after it its account, a small JSON
in `accounts/` with the fingerprint of the task, and size and digest of the
file: the task is done while it is as written, and fingerprint and size hold. So
a job killed at any moment goes on where it was, and ends with the bytes that an
uninterrupted one would have written.
"""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from absl import logging

from data.jobs.progress import Progress
from data.run import content, json_file, run_lock
from data.run.atomic_write import atomic_path, remove_leftovers, write_json
from data.run.errors import UserError
from data.run.rejects import Rejected

ACCOUNTS_FOLDER = "accounts"
# Of the rest of an account: what was changed since is made again.
_DIGEST = "account_sha256"


class Task(Protocol):
    """A picklable description of one file to make.

    It must hold all that the file depends on, by its content, with a `repr`
    that shows it: the fingerprint is made of that. Its paths are absolute, and
    not shown.
    """

    shard: str
    """Name of the file."""
    num_items: int
    """Items in it, for the progress shown."""


class Shards:
    """The files of a job, and what is kept of each.

    Args:
      folder: where they are.
      advance: called for each item that is finished, for the progress shown.
    """

    def __init__(
        self, folder: pathlib.Path, advance: Callable[[], None] = lambda: None
    ):
        self.folder, self.advance = folder, advance

    def account_if_done(self, task: Task) -> dict | None:
        """The account of a task whose file is there, as it should be."""
        account = self._kept(task)
        try:
            size = (self.folder / task.shard).stat().st_size
        except FileNotFoundError:
            return None
        return account if account.get("num_bytes") == size else None

    @contextlib.contextmanager
    def writing(self, task: Task) -> Iterator[tuple[pathlib.Path, dict]]:
        """Where to write the file of a task, and its account, to be filled.

        Both are kept if the block ends well.
        """
        account = {}
        with atomic_path(self.folder / task.shard) as path:
            yield path, account
            known = {
                "num_bytes": path.stat().st_size,
                "sha256": content.file_sha256(path),
            }
        self._keep(task, self.lost(task), account | known)

    def lost(self, task: Task) -> dict[str, tuple[str, str]]:
        """Kind and reason of the items of a task that were given up."""
        return self._kept(task).get("lost", {})

    def give_up(self, task: Task, item: str, why: Rejected) -> None:
        """Remembers an item, so that reruns leave it out as well."""
        self._keep(task, self.lost(task) | {item: (why.kind, why.reason)}, {})

    def _keep(self, task: Task, lost: dict, account: dict) -> None:
        known = {"shard": task.shard, "fingerprint": _fingerprint(task)}
        if lost:
            known["lost"] = dict(sorted(lost.items()))
        account = known | account
        digest = {_DIGEST: content.value_sha256(account)}
        write_json(self._file(task), account | digest)

    def _kept(self, task: Task) -> dict:
        """The account of a task as it was written; else an empty one."""
        try:
            account = json_file.read(self._file(task), dict[str, object], "")
        except UserError:
            return {}
        digest = account.pop(_DIGEST, None)
        is_whole = digest == content.value_sha256(account)
        is_of_task = account.get("fingerprint") == _fingerprint(task)
        return account if is_whole and is_of_task else {}

    def _file(self, task: Task) -> pathlib.Path:
        return self.folder / ACCOUNTS_FOLDER / f"{task.shard}.json"


MakeShards = Callable[[Sequence[Task], Shards], Iterator[Task]]
"""Makes the files of tasks, one after the other; yields each task then."""

Runner = Callable[[MakeShards, Sequence[Task], Shards], Iterator[Task]]
"""Has them made elsewhere, one task a call; see `beam_runner`."""


def run(
    name: str,
    make: MakeShards,
    tasks: Sequence[Task],
    folder: str | os.PathLike,
    unit: str = "clips",
    on_account: Callable[[dict], None] = lambda account: None,
    runner: Runner | None = None,
    index_file: str | None = None,
) -> list[dict]:
    """Makes the files of all tasks that are not done.

    Files that an earlier list of tasks had and this one has not are removed,
    if there is an index. Where another process writes the same files, it is
    waited for.

    Args:
      name: of the job, for the progress shown.
      make: see `MakeShards`.
      tasks: one a file.
      folder: where the files go.
      unit: what the items are.
      on_account: called with each account as it is there; may raise to stop
        the job.
      runner: what calls `make`; None: this process, for all tasks at once.
      index_file: what is written last, and says that the folder is complete;
        it is removed before a file changes. None: the folder has none, and
        keeps the files of other tasks.

    Returns:
      The account of each task, in order, with `shard`, `num_bytes` and
      `sha256` added.

    Raises:
      UserError: files went elsewhere.
    """
    folder = pathlib.Path(folder).absolute()
    (folder / ACCOUNTS_FOLDER).mkdir(parents=True, exist_ok=True)
    with run_lock.held(folder):
        remove_leftovers(folder)
        remove_leftovers(folder / ACCOUNTS_FOLDER)
        shards = Shards(folder)
        accounts = {task.shard: shards.account_if_done(task) for task in tasks}
        kept = {f.stem for f in (folder / ACCOUNTS_FOLDER).glob("*.json")}
        todo = [task for task in tasks if not accounts[task.shard]]
        if index_file:
            _make_room(folder, kept - accounts.keys(), todo, index_file)
        for account in filter(None, accounts.values()):
            on_account(account)
        if not todo:
            return [*accounts.values()]
        total = sum(task.num_items for task in tasks)
        done = total - sum(task.num_items for task in todo)
        progress = Progress(name, total, unit, done)
        shards.advance = lambda: progress.update(progress.done + 1)
        made = runner(make, todo, shards) if runner else make(todo, shards)
        for task in made:
            account = accounts[task.shard] = shards.account_if_done(task)
            if account is None:
                raise UserError(
                    f"{folder / task.shard} was made but is not there: do all "
                    "workers write to the same folder?"
                )
            done += task.num_items
            progress.update(done)
            on_account(account)
        progress.finish()
        return [*accounts.values()]


def _make_room(
    folder: pathlib.Path, others: set[str], todo: Sequence[Task], index: str
) -> None:
    """Removes what is of no task any more, and the index if files change."""
    if others or todo:
        (folder / index).unlink(missing_ok=True)
    changed = [task.shard for task in todo if (folder / task.shard).exists()]
    for names, what in (
        (changed, "from something else, or damaged: made again"),
        (sorted(others), "from what is not there any more: removed"),
    ):
        if names:
            logging.info(
                "%s: %d of the files there were made %s (%s%s)",
                folder,
                len(names),
                what,
                ", ".join(names[:3]),
                ", ..." if len(names) > 3 else "",
            )
    for name in others:
        (folder / name).unlink(missing_ok=True)
        (folder / ACCOUNTS_FOLDER / f"{name}.json").unlink()


def _fingerprint(task: Task) -> str:
    return hashlib.blake2b(repr(task).encode(), digest_size=16).hexdigest()
