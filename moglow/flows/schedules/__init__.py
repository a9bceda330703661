"""The order in which the cells of a flow of LSTMs are computed: the same numbers, sooner."""
