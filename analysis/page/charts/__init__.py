"""The interactive charts of a report's page, which need no network and no server.

`chart_data` collects the numbers, `chart_colors` the colours, and `chart_parts` the HTML that a
page includes. The scripts are plain JavaScript, in the order of `chart_parts.SCRIPTS`; they draw
with Observable Plot, which is in `vendor`.
"""
