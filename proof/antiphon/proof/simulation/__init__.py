"""A deterministic simulator: real controllers, replicas and stores, one thread, virtual time.

randomness           choices from a seed
world                the virtual clock, processes, the trace
network              streams and calls that are slow, and cut
controller_process   the real driver over virtual ports and a store that loses the uncommitted
seats                who is the controller, and who was, and does not know it yet
replica_process      the real front and worker over virtual ports
collections          the controller's Collections service, as replicas reach it
clients              a writer, a reader and a subscriber that try again until they know
faults               kills, cuts and their repair
model, checkers      what must have been seen
run                  one seed from start to verdict
"""
