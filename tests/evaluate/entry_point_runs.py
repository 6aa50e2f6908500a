"""Runs an entry point of evaluate/ in this process."""

import pathlib
import types
from unittest import mock

from data.run import flag_fields
from evaluate import export_saved_model
from evaluate.export_saved_model import ExportConfig


def call_main(entry_point: types.ModuleType, config: object) -> None:
    """Runs it in this process, with a configuration in place of its flags."""
    with mock.patch.object(flag_fields, "read", return_value=config):
        entry_point.main()


def exported(config: ExportConfig) -> pathlib.Path:
    """The SavedModel that evaluate/export_saved_model.py writes."""
    call_main(export_saved_model, config)
    output = pathlib.Path(config.output)
    versions = [int(x.name) for x in output.iterdir() if x.name.isdecimal()]
    return output / str(config.version or max(versions))
