"""Workers run tasks over files: in this process, in processes of this machine or on a cluster; results come in order.

Reading order: workers (the interface), opening and address (the choice), processes (one machine), cluster and remote
(Dask), task (a call that can be sent).
"""
