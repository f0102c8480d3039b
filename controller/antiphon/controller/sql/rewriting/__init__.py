"""From a lowered plan to the one that replicas run, a rule a module; `optimize` orders them."""
