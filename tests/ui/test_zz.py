import pytest
from tests.support.ui.app import page
def test_a(connected):
    from tests.support.ui.sample_logs import logs
    for q in ({}, {"log": logs()[0].log_id}, {"log":"nope"}, {"log": logs()[5].log_id, "live":"1"}, {"user":"user-001"}):
        app = page("logs", **q).run()
        assert not app.exception, (q, app.exception)
    for q in ({}, {"trace": logs()[5].trace_id,"log": logs()[5].log_id}, {"session":"session-03"}):
        app = page("trace", **q).run()
        assert not app.exception, (q, app.exception)
