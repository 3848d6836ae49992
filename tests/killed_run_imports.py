"""Everything that a run imports, for the process that killed runs are forked from."""

import torch

import ecgvision.deploy.export
import ecgvision.systems.judging
import ecgvision.systems.read.judging
import ecgvision.systems.ssl.judging
import ecgvision.trained_runs.build
import experiments.run
import experiments.train
from experiments.run_id import code

torch.set_num_threads(1)
code()  # once for all of them, as it reads every module
PARTS = (ecgvision.trained_runs.build, ecgvision.deploy.export, experiments)
