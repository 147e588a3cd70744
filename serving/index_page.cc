#include "serving/index_page.h"

#include "base/metrics.h"

namespace serving {
namespace {

constexpr std::string_view kBeforeVersion = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Herald</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
pre { background: #8881; padding: .8rem; overflow-x: auto; }
td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
:root { color-scheme: light dark; }
</style>
</head>
<body>
<h1>Herald <small>)html";

constexpr std::string_view kAfterVersion = R"html(</small></h1>
<p>Herald turns raw social events (follow, like, mention, message) into an inbox of notifications for
each user. Events come in through Kafka or HTTP; inboxes are read here.</p>
<ul>
<li><a href="/v1/status">Status</a>: partitions, what is restoring, how far behind</li>
<li><a href="/metrics">Metrics</a>, for Prometheus</li>
<li><a href="/health/ready">Readiness</a> and <a href="/health/live">liveness</a></li>
</ul>
<h2>Try it</h2>
<pre>curl -X PUT localhost:8080/v1/users/1 -d '{"name":"Emma"}'
curl localhost:8080/v1/events -d '{"type":"follow","actor":"1","target":"2"}'
curl localhost:8080/v1/users/2/inbox</pre>
<h2>Routes</h2>
<table>
<tr><td><code>POST /v1/events</code></td><td>one event, or an array of up to 1,000</td></tr>
<tr><td><code>GET /v1/users/{user}/inbox</code></td><td>newest first;
 <code>limit</code> (1&ndash;100), <code>cursor</code>, <code>status</code>, <code>type</code></td></tr>
<tr><td><code>GET /v1/users/{user}/inbox/counts</code></td><td>total, unread, unseen, version</td></tr>
<tr><td><code>POST /v1/users/{user}/inbox/{id}/read</code></td>
<td>also <code>unread</code>, <code>seen</code>; <code>DELETE</code> without them</td></tr>
<tr><td><code>POST /v1/users/{user}/inbox/read-all</code></td><td>also <code>seen-all</code></td></tr>
<tr><td><code>GET PUT DELETE /v1/users/{user}</code></td><td>who acts: name, handle, avatar_url</td></tr>
</table>
<p>Errors are <code>application/problem+json</code>. The full description is <code>docs/http.md</code>
in Herald's repository.</p>
</body>
</html>
)html";

}  // namespace

const std::string& IndexPage() {
  static const std::string page =
      std::string(kBeforeVersion) + std::string(base::BuildVersion()) + std::string(kAfterVersion);
  return page;
}

}  // namespace serving
