import os

from ecgvision.core.command import starting

# Before torch is imported: its idle threads would spin, and take the cores from the loaders that
# draw pages (measured on 2 cores: 3.1 steps a second instead of 2.4).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

starting()
