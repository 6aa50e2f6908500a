"""Steps whose network is kept: values of --keep_steps."""

import re
from collections.abc import Sequence


def parse(
    items: Sequence[str], steps: int, unnamed: str = "step{}"
) -> dict[str, int]:
    """Name and step of each network kept, by step.

    Args:
      items: each "name=step", or a step alone.
      steps: of the run.
      unnamed: name of one that has none, with {} for its step.

    Raises:
      ValueError: an item is neither, a name or a step is there twice, or a
        step is past the last one.
    """
    kept = {}
    for item in items:
        match = re.fullmatch(r"(?:([A-Za-z0-9_-]+)=)?([0-9]+)", item)
        if not match:
            raise ValueError(
                f"--keep_steps: {item!r} is neither a step nor name=step"
            )
        kept[match[1] or unnamed.format(match[2])] = int(match[2])
    for what, found in (("name", kept), ("step", set(kept.values()))):
        if len(found) < len(items):
            raise ValueError(
                f"--keep_steps={','.join(items)}: a {what} is twice"
            )
    last = max(kept.values(), default=0)
    if last > steps:
        raise ValueError(
            f"--keep_steps names step {last}, past --steps={steps}"
        )
    return dict(sorted(kept.items(), key=lambda pair: pair[1]))
