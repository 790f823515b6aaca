"""look"""
import os, pytest, json
from pathlib import Path
from tests.support.ui.browser import settled
from tests.support.ui.sample_logs import logs, TRACE_ID
pytestmark = pytest.mark.browser
T = logs()[5]
URLS = {
 "logs": "/logs", "err": "/logs?outcome=error&user=user-001&provider=openai", "drawer": f"/logs?log={logs()[20].log_id}",
 "drawererr": f"/logs?log={next(l for l in logs() if l.outcome==2).log_id}",
 "drawertrace": f"/logs?log={T.log_id}",
 "trace": f"/trace?trace={TRACE_ID}&log={T.log_id}", "session": "/trace?session=session-03", "notfound": "/logs?log=nope", "nomatch": "/logs?user=nobody",
 "drawerfields": f"/logs?log={T.log_id}",
}
ONLY = os.environ.get("LOOK","").split(",")
@pytest.mark.parametrize("name", ["warm"]+[n for n in URLS if n in ONLY])
async def test_look(look_page, name):
    p = look_page
    w0 = os.environ.get("HTML")
    p.set_default_timeout(25000)
    if name=="warm":
        await p.goto("/"); await p.wait_for_timeout(6000); return
    p.on("requestfailed", lambda r: print("FAILED", r.url, r.failure)); p.on("response", lambda r: r.status>=400 and print("STATUS", r.status, r.url))
    await p.goto(URLS[name])
    await p.wait_for_timeout(2500)
    if name in ("drawertrace","drawerfields"):
        await p.get_by_role("tab", name="Trace" if name=="drawertrace" else "Fields").click()
        await p.wait_for_timeout(2500)
    if "drawer" in name and w0:
        await p.get_by_role("dialog").wait_for(); print(await p.evaluate("document.querySelector(\"[role=dialog]\").innerHTML.slice(0,1500)"))
    w = p.viewport_size["width"]; d = await p.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    png = await (p.screenshot() if "drawer" in name or name=="notfound" else settled(p))
    Path(f"/tmp/lk/{name}-{w}-{'d' if d else 'l'}.png").write_bytes(png)
