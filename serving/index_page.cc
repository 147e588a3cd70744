#include "serving/index_page.h"

namespace serving {

const std::string& IndexPage() {
  static const std::string page(R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Herald</title>
<style>
:root { color-scheme: light dark; --text: #1b2330; --dim: #5a6677; --page: #f5f6f8; --card: #fff;
  --line: #d9dee6; --one: #1f62c9; --two: #b4540a; --good: #17713f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e9f1; --dim: #9aa7b8; --page: #12161d; --card: #1b212b; --line: #323b49;
    --one: #7fb0ff; --two: #ffb074; --good: #69d397; --bad: #ff8f85; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
a { color: var(--one); }
code, pre, td.number { font-family: ui-monospace, monospace; font-size: 13px; }
pre { background: var(--page); border: 1px solid var(--line); padding: .7rem; overflow-x: auto; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; }
.state { padding: .1rem .7rem; border-radius: 1rem; border: 1px solid; font-weight: 600; }
.state.good { color: var(--good); }
.state.bad { color: var(--bad); }
.facts { color: var(--dim); margin: .4rem 0 1.2rem; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .9rem 1rem; margin: 0; min-width: 0; }
main > section.card, details.card { margin-top: 1rem; }
#standbys:empty { display: none; }
.value { font-size: 1.6rem; font-weight: 600; line-height: 1.2; }
.note { color: var(--dim); font-size: 13px; min-height: 1.5em; }
svg { display: block; width: 100%; height: 6.5rem; overflow: visible; }
svg text { fill: var(--dim); font-size: 10px; }
svg .axis { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke-width: 1.7; stroke-linejoin: round; }
.one { stroke: var(--one); }
.two { stroke: var(--two); stroke-dasharray: 4 3; }
.legend span { white-space: nowrap; margin-right: .9rem; }
.legend i { display: inline-block; width: 1.4rem; border-top: 2px solid var(--one);
  vertical-align: middle; margin-right: .3rem; }
.legend span + span i { border-top: 2px dashed var(--two); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--dim); font-size: 13px; padding-bottom: .3rem; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-top: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; color: var(--dim); font-size: 13px; }
.number { text-align: right; white-space: nowrap; }
progress { width: 8rem; vertical-align: middle; accent-color: var(--one); }
summary { cursor: pointer; font-weight: 600; }
.stale { opacity: .55; }
[hidden] { display: none !important; }
</style>
</head>
<body>
<header>
<h1>Herald</h1>
<span class="state" id="state" role="status" aria-live="polite">Asking&hellip;</span>
<nav><a href="/metrics">Metrics</a> &middot; <a href="/v1/status">Status as JSON</a> &middot;
 <a href="/health/ready">Readiness</a></nav>
</header>
<p class="facts" id="facts">Herald turns raw social events into an inbox of notifications for each
user.</p>
<noscript><p>This page draws its charts with JavaScript; the links above work without.</p>
</noscript>
<main id="live">
<div class="cards" id="cards"></div>
<section class="card" id="restores" hidden>
<h2>Restoring</h2>
<div class="scroll"><table>
<caption>Tasks that read their rows back before they run. Time left goes by the last half
minute.</caption>
<thead><tr><th scope="col">Task</th><th scope="col">Progress</th>
<th scope="col" class="number">Records left</th><th scope="col" class="number">Records/s</th>
<th scope="col" class="number">Time left</th></tr></thead>
<tbody></tbody></table></div>
</section>
<section class="card">
<h2>Tasks</h2>
<div class="scroll"><table id="tasks">
<caption>What this instance works on: position is the next record to read, lag what waits behind
it.</caption>
<thead><tr><th scope="col">Task</th><th scope="col">State</th><th scope="col">Input</th>
<th scope="col" class="number">Position</th><th scope="col" class="number">Lag</th></tr></thead>
<tbody></tbody></table></div>
<p class="note" id="standbys"></p>
</section>
<section class="card" id="instances" hidden>
<h2>Instances</h2>
<div class="scroll"><table>
<caption>All in the group, with the partitions that they have.</caption>
<thead><tr><th scope="col">Instance</th><th scope="col">Address</th>
<th scope="col">Partitions</th></tr></thead>
<tbody></tbody></table></div>
</section>
</main>
<details class="card">
<summary>Try it: lines to paste, and the routes</summary>
<pre>curl -X PUT localhost:8080/v1/users/1 -d '{"name":"Emma"}'
curl localhost:8080/v1/events -d '{"type":"follow","actor":"1","target":"2"}'
curl localhost:8080/v1/users/2/inbox</pre>
<div class="scroll"><table>
<tr><td><code>POST /v1/events</code></td><td>one event, or an array of up to 1,000</td></tr>
<tr><td><code>GET /v1/users/{user}/inbox</code></td><td>newest first;
 <code>limit</code> (1&ndash;100), <code>cursor</code>, <code>status</code>, <code>type</code></td></tr>
<tr><td><code>GET /v1/users/{user}/inbox/counts</code></td><td>total, unread, unseen, version</td></tr>
<tr><td><code>POST /v1/users/{user}/inbox/{id}/read</code></td>
<td>also <code>unread</code>, <code>seen</code>; <code>DELETE</code> without them</td></tr>
<tr><td><code>POST /v1/users/{user}/inbox/read-all</code></td><td>also <code>seen-all</code></td></tr>
<tr><td><code>GET PUT DELETE /v1/users/{user}</code></td><td>who acts: name, handle, avatar_url</td></tr>
</table></div>
<p>Errors are <code>application/problem+json</code>. The full description is <code>docs/http.md</code>
in Herald's repository.</p>
</details>
<script src="/page.js"></script>
</body>
</html>
)html");
  return page;
}

}  // namespace serving
