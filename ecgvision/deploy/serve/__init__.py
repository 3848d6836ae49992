"""The web server of `ecgvision serve`; needs the extra `serve`.

`command` starts it, `app` has its addresses, `work` runs in the worker processes.
"""
