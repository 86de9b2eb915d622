"""The viewer: fields of files in a browser, or as one picture of the body.

`viewer` holds the opened files and the view of them, `surface` the cells that are seen
and `view` their colours, all without VTK. `picture` draws them with Matplotlib; `app`,
`page` and `render_window` serve them to a browser.
"""
