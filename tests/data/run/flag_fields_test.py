import dataclasses

import pytest
from absl import flags

from data.run import flag_fields
from data.run.errors import UserError
from data.run.flag_fields import option


@dataclasses.dataclass(frozen=True)
class Config:
    rate_hz: int = option(16000, "rate, Hz", minimum=1, maximum=99999)
    seconds: float = option(
        2.5, "length, s", minimum=0, needs={"mode": ("slow",)}
    )
    limit: int | None = option(None, "a limit")
    mode: str = option("slow", "how", choices=("slow", "fast"))
    name: str = option("", "a name", required=True)
    quiet: bool = option(False, "say less", group="Talk", needs={"limit": ()})
    steps: tuple[str, ...] = option(("0", "500"), "steps")

    def __post_init__(self):
        if self.name == "bad":
            raise ValueError("--name=bad is bad")


@pytest.fixture
def parse():
    """Parses arguments to a Config, with flags of its own."""
    values = flags.FlagValues()
    flag_fields.define(Config, values)

    def call(*arguments):
        values(["program", *arguments])
        return flag_fields.read(Config, values)

    call.flags = values
    return call


def test_each_type_is_read_and_is_the_fields(parse):
    assert parse.flags["seconds"].help == "length, s"
    assert parse() == Config()
    assert parse(
        "--rate_hz=8000",
        "--seconds=3",
        "--limit=7",
        "--mode=fast",
        "--name=a b",
        "--quiet",
        "--steps=1,2,30",
    ) == Config(8000, 3.0, 7, "fast", "a b", True, ("1", "2", "30"))
    assert parse("--noquiet", "--steps=") == Config(
        8000, 3.0, 7, "fast", "a b", False, ()
    )


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--rate_hz=100000", "rate_hz=100000"),
        ("--seconds=-1", "seconds=-1"),
        ("--mode=medium", "slow|fast"),
        ("--name=bad", "--name=bad is bad"),
        ("--name=gs://b/x", "--name=gs://b/x: gs:// is not supported"),
        ("--steps=a,S3://b", "--steps=S3://b: S3:// is not supported"),
    ],
)
def test_wrong_values_are_refused(parse, argument, message):
    with pytest.raises((flags.Error, UserError)) as caught:
        parse(argument)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "arguments, told",
    [
        ((), []),
        (("--seconds=3",), []),
        (("--mode=fast",), []),
        (
            ("--mode=fast", "--seconds=2.5"),
            ["--seconds has no effect with --mode=fast"],
        ),
        (("--quiet",), ["--quiet has no effect with --limit=None"]),
        (("--quiet", "--limit=2"), []),
    ],
)
def test_a_flag_without_effect_is_told(parse, arguments, told, caplog):
    parse(*arguments)
    assert caplog.messages == told


def test_the_page_has_required_flags_first_and_the_rest_by_subject():
    assert flag_fields.help_page(Config, "About.\n") == (
        """About.

Required:
  --name=...
      A name.

Other flags:
  --rate_hz=...
      Rate, Hz. Default: 16000.
  --seconds=...
      Length, s. Default: 2.5.
  --limit=...
      A limit.
  --mode=...
      How. One of: slow, fast. Default: slow.

Talk:
  --[no]quiet
      Say less. Default: no.
  --steps=...
      Steps. Default: 0,500.

All commands:
  --flagfile=FILE
      Reads flags from a file, one a line.
  --help
      This page."""
    )
