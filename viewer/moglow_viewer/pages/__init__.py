"""Pages of one file for any browser: a clip, a report, curves and tables. `browser` holds their JavaScript,
CSS and HTML.
"""
