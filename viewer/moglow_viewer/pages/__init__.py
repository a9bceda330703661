"""Self-contained pages for any browser: clips and evaluation reports.

`single_page` puts a page together from an HTML template and the CSS and JavaScript files in `browser`, listed by each
page's `STYLES` and `SCRIPTS`, and its data as JSON.
"""
