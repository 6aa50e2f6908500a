"""Devices and machines that train one model together."""

import functools
import itertools

import keras
import tensorflow as tf

from data.run.errors import UserError
from models.cnn14.cnn14 import CNN14
from train.loop import cluster
from train.loop.training_options import TrainingOptions


def make_strategy(options: TrainingOptions) -> tf.distribute.Strategy:
    """The strategy that --strategy names.

    default: one device. mirrored: all GPUs of this machine, or else its
    logical CPUs. multi_worker: several processes, see `cluster`. tpu: the TPU
    that --tpu names.

    Raises:
      UserError: what the strategy needs is not there, or the batch does not
        divide by the replicas.
    """
    try:
        strategy = _made(options.strategy, options.tpu)
    except UserError:
        raise
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--strategy={options.strategy}: {reason}") from error
    replicas = strategy.num_replicas_in_sync
    if options.batch_size % replicas:
        raise UserError(
            f"--batch_size={options.batch_size} does not divide by the "
            f"{replicas} replicas of --strategy={options.strategy}"
        )
    return strategy


def synchronize_batch_norms(
    encoder: CNN14, strategy: tf.distribute.Strategy
) -> None:
    """Makes batch norms use the statistics of the global batch.

    It is no part of what is saved with a model.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    for part in itertools.chain.from_iterable(encoder.segments()):
        if isinstance(part, keras.layers.BatchNormalization):
            part.synchronized = True


def separate_random_states(
    model: keras.Model, strategy: tf.distribute.Strategy, worker: int
) -> None:
    """Lets each replica of each process draw dropout masks of its own.

    To be called after each restore: a checkpoint holds the first replica's.
    """
    for variable in model.non_trainable_variables:
        if tf.as_dtype(variable.dtype).is_integer:
            copies = strategy.experimental_local_results(variable.value)
            start, first = copies[0].numpy(), worker * len(copies)
            for replica, copy in enumerate(copies, start=first):
                copy.assign(start + [replica, 0])


@functools.cache
def _made(strategy: str, tpu: str) -> tf.distribute.Strategy:
    """One for a process: a second one would mix up its exchanges with it."""
    resolvers = tf.distribute.cluster_resolver
    if strategy == "mirrored":
        devices = tf.config.list_logical_devices("GPU")
        devices = devices or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    if strategy == "multi_worker":
        processes = cluster.of(strategy)
        resolver = None  # That of TF_CONFIG.
        if cluster.is_slurm():
            # It is asked for addresses only: GPUs are those that Slurm lets a
            # task see, and TensorFlow counts them.
            slurm = resolvers.SlurmClusterResolver(
                gpus_per_node=processes.num_workers,
                gpus_per_task=1,
                auto_set_gpu=False,
            )
            resolver = resolvers.SimpleClusterResolver(
                slurm.cluster_spec(),
                task_type="worker",
                task_id=processes.worker,
                rpc_layer="grpc",
            )
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    if strategy == "tpu":
        resolver = resolvers.TPUClusterResolver(tpu)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    return tf.distribute.get_strategy()
