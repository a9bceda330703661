"""Execution orders for a flow of LSTM couplings: equal results, different time and memory.

Reading order: schedules, diagonal, stages; on a GPU fused_stages and stage_kernels.
"""
