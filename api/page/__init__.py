"""The page that colleagues open: the same access, service and ledger as /v1, rendered as HTML.

Reading and every verb work without JavaScript (a form, then a redirect); the script only adds what is live.
"""
