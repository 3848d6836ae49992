"""Everything that a run imports, for the process that killed runs are forked from."""

import torch

import ecgvision.deploy.export
import ecgvision.runs.build
import experiments.finish
import experiments.finish_pretrain
import experiments.finish_read
import experiments.run
import experiments.train

torch.set_num_threads(1)
PARTS = (ecgvision.runs.build, ecgvision.deploy.export, experiments)
