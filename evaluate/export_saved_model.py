r"""Exports an encoder as a SavedModel for TensorFlow Serving.

  python evaluate/export_saved_model.py --encoder=runs/pretrain \
      --output=runs/export

Writes <output>/<version>/, the layout that TensorFlow Serving watches, with
two signatures. Each takes `waveform` [B, T] float32 in [-1, 1] at the
encoder's sample rate, for any B and T:
  serving_default  `embedding` [B, d], one for each waveform
  windows          `windows` [B, W, d], one for each window of 0.96 s
assets.extra/model.json in that folder says where the model comes from. The
folder appears once it has been loaded again and agrees with Keras.
"""

import dataclasses
import json
import pathlib
import shlex
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data import entry_point, flag_fields, run_directory
from data.atomic_write import atomic_path, write_json
from data.flag_fields import option
from data.user_error import UserError
from evaluate import encoder_runs

DESCRIPTION_FILE = pathlib.Path("assets.extra", "model.json")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """the flags of this entry point"""

    encoder: str = option("", "run directory of pretraining (required)")
    output: str = option("", "folder of the served model's versions (required)")
    version: int = option(1, "number of this version", minimum=1)

    def __post_init__(self):
        for flag in ("encoder", "output"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name a folder")


def main() -> None:
    export(flag_fields.read(ExportConfig))


def export(config: ExportConfig) -> pathlib.Path:
    """Writes the SavedModel; returns its folder.

    Raises:
      UserError: the version exists and holds another model.
    """
    digest = encoder_runs.model_digest(config.encoder)
    folder = pathlib.Path(config.output) / str(config.version)
    if folder.exists():
        if _digest_of(folder) != digest:
            raise UserError(
                f"{folder} holds another model: raise --version, or delete "
                "that folder"
            )
        print(f"{folder} holds this model already: nothing to do")
        return folder

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"--output={config.output} is not a folder: choose another"
        ) from error

    from evaluate import saved_model
    from evaluate.encoders import load_model

    model = load_model(config.encoder)
    with atomic_path(folder) as beside:
        saved_model.write(model, beside)
        difference = saved_model.check(model, beside)
        description = _describe(model, config.encoder, digest)
        write_json(beside / DESCRIPTION_FILE, description)
    base = pathlib.Path(config.output).resolve()
    mount = shlex.quote(f"{base}:/models/embedding")
    print(
        f"SavedModel: {folder} (largest difference to Keras {difference:.1e})\n"
        f"serving_default: waveform [B, T] at {model.sample_rate_hz} Hz -> "
        f"embedding [B, {model.embedding_dim}]\n"
        f"windows: waveform [B, T] -> windows [B, W, {model.embedding_dim}]\n"
        "look at it: saved_model_cli show --all --dir "
        f"{shlex.quote(str(folder))}\n"
        f"serve it: docker run -p 8500:8500 -p 8501:8501 -v {mount} "
        "-e MODEL_NAME=embedding tensorflow/serving"
    )
    return folder


def _describe(model, encoder: str, digest: str) -> dict:
    record = run_directory.read(encoder, encoder_runs.STAGE)
    return {
        "sample_rate_hz": model.sample_rate_hz,
        "embedding_dim": model.embedding_dim,
        "window_samples": model.window_samples,
        "window_hop_samples": model.window_hop_samples,
        "model": model.get_config(),
        "encoder": encoder,
        "encoder_sha256": digest,
        "pretraining": record["config"],
        "versions": record["versions"],
    }


def _digest_of(folder: pathlib.Path) -> str | None:
    try:
        text = (folder / DESCRIPTION_FILE).read_text(encoding="utf-8")
        return json.loads(text)["encoder_sha256"]
    except (OSError, ValueError, KeyError):
        return None


if __name__ == "__main__":
    flag_fields.define(ExportConfig)
    entry_point.run(main)
