from data.run import flag_fields
from train import step_time
from train.contrastive import noise_steps
from train.contrastive.contrastive_config import ContrastiveConfig


def test_steps_after_the_first_are_measured_and_the_training_told(
    monkeypatch, capsys
):
    config = ContrastiveConfig(batch_size=7, steps=1200)
    steps = []

    def make_step(made_for):
        assert made_for is config
        return lambda: steps.append(len(steps))

    def repeat(step, repeat, number):
        for _ in range(repeat * number):
            step()
        return [9.0, 0.5, 3.0]

    monkeypatch.setattr(flag_fields, "read", lambda _: config)
    monkeypatch.setattr(noise_steps, "make_step", make_step)
    monkeypatch.setattr(step_time.timeit, "repeat", repeat)
    step_time.main()
    assert steps == [0, 1, 2, 3]
    told = "a step on 7 pairs takes 3 s here: 1,200 take 60.0 minutes\n"
    assert capsys.readouterr().out == told
