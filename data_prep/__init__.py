from ecgvision.core.command import starting

starting()
