"""`moglow.js`: the model for web pages of others, as an ES module without dependencies.

`javascript` joins the module from the scripts of our own pages; `weights` writes a model's weights for it.
"""
