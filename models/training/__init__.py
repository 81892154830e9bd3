"""Training: one TOML file in, checkpoints, metrics and a summary out."""

from models.training.config import Training, load_config
from models.training.distributed import Place, place
from models.training.evaluate import Evaluation, evaluate
from models.training.session import load_data, load_run, train
from models.training.summary import Summary

__all__ = [
    "Evaluation",
    "Place",
    "Summary",
    "Training",
    "evaluate",
    "load_config",
    "load_data",
    "load_run",
    "place",
    "train",
]
