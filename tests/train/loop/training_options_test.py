import dataclasses

import pytest

from train.contrastive.contrastive_config import ContrastiveConfig
from train.loop.training_options import TrainingOptions, parse_kept_steps


def test_what_may_not_change_when_a_run_goes_on():
    fixed = [
        field.name
        for field in dataclasses.fields(TrainingOptions)
        if not field.metadata["runtime_only"]
    ]
    assert " ".join(fixed) == (
        "splits seed batch_size optimizer weight_decay learning_rate "
        "warmup_steps cosine_decay halving_steps adam_epsilon "
        "max_gradient_norm precision"
    )


def test_names_by_step():
    kept = parse_kept_steps(("late=30", "4", "N=0"), 30)
    assert list(kept.items()) == [("N", 0), ("step4", 4), ("late", 30)]
    assert parse_kept_steps(("4",), 30, "s-{}") == {"s-4": 4}
    assert parse_kept_steps((), 0) == {}


@pytest.mark.parametrize(
    "items, message",
    [
        (("0", "x="), "'x=' is neither a step"),
        (("a/b=1",), "'a/b=1' is neither a step"),
        (("A=1", "A=2"), "A=1,A=2: a name is twice"),
        (("A=1", "1"), "A=1,1: a step is twice"),
        (("31",), "step 31, past --steps=30"),
    ],
)
def test_bad_ones_are_refused(items, message):
    with pytest.raises(ValueError, match=message):
        ContrastiveConfig(steps=30, warmup_steps=0, keep_steps=items)


def test_splits_of_the_probe_must_differ():
    with pytest.raises(ValueError, match="b is in --probe_train_splits and"):
        ContrastiveConfig(
            probe_train_splits=("a", "b"), probe_eval_splits=("b", "c")
        )


def test_a_warm_up_past_the_last_step_is_refused():
    message = "--warmup_steps=1000 is above --steps=999"
    with pytest.raises(ValueError, match=message):
        ContrastiveConfig(steps=999)
    # Without a step there is nothing to warm up.
    assert ContrastiveConfig(steps=0).warmup_steps == 1000
