"""The viewer: fields of files in a browser, or as one picture of the body.

`state` is what is shown, `subject` a file, `summary` what is said of it, `scene` the
surfaces and their colours, all without any graphics library; `legend` says what
colours stand for, `picture` draws a scene with Matplotlib, `app` serves it to a
browser.
"""
