#include "serving/http_server.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "serving/http_connection.h"
#include "serving/http_loop.h"

namespace serving {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, LoopExecutor>;

constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> kAwait{};
/// Connections the system may hold for us until they are accepted.
constexpr int kBacklog = 1024;
/// How long to wait when the process is out of file descriptors.
constexpr std::chrono::milliseconds kAcceptRetryDelay{100};

std::string ToText(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

base::Result<tcp::endpoint> ParseAddress(const std::string& text) {
  const auto wrong = [&text](const std::string& why) {
    return base::Status::InvalidArgument("cannot listen on \"" + text + "\": " + why +
                                         "; an address is written like 127.0.0.1:8080 or "
                                         "[::1]:8080");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong("there is no port");
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data() + colon + 1, end, port);
  if (problem != std::errc() || rest != end) return wrong("the port is not a number up to 65535");
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return wrong("an IPv6 address stands in brackets");
  }
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return wrong("\"" + host + "\" is not an IP address");
  return tcp::endpoint(address, port);
}

/// Runs `call` on the loop's thread and waits for it.
void RunOn(Loop& loop, const std::function<void()>& call) {
  std::promise<void> done;
  asio::post(loop.context, [&] {
    call();
    done.set_value();
  });
  done.get_future().wait();
}

/// Timers that outlive the server: after Stop() they do nothing.
class LoopTimers : public Timers {
 public:
  explicit LoopTimers(const std::vector<std::unique_ptr<Loop>>& loops) : loops_(loops) {}

  void After(std::chrono::milliseconds delay, std::function<void()> call) override {
    const base::MutexLock lock(mutex_);
    if (stopped_) return;
    Loop& loop = *loops_[next_++ % loops_.size()];
    auto timer = std::make_shared<LoopTimer>(loop.context, delay);
    timer->async_wait([timer, call = std::move(call)](const error_code& error) {
      if (!error) call();
    });
  }

  void Stop() {
    const base::MutexLock lock(mutex_);
    stopped_ = true;
  }

 private:
  base::Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  size_t next_ GUARDED_BY(mutex_) = 0;
  // Touched only before Stop(), while the server is there.
  const std::vector<std::unique_ptr<Loop>>& loops_;
};

}  // namespace

struct HttpServer::Impl {
  explicit Impl(Options options_in)
      : options(std::move(options_in)), shared(options.limits, options.metrics, *options.clock) {
    CHECK(options.threads > 0, "an HTTP server needs a thread");
    for (int i = 0; i < options.threads; ++i) loops.push_back(std::make_unique<Loop>());
    timers = std::make_shared<LoopTimers>(loops);
  }

  base::Result<Acceptor> Listen(const std::string& address) {
    auto endpoint = ParseAddress(address);
    if (!endpoint.ok()) return endpoint.status();
    Acceptor acceptor(loops.front()->context);
    error_code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && endpoint->protocol() == tcp::v6()) {
      acceptor.set_option(asio::ip::v6_only(true), error);
    }
    if (!error) acceptor.bind(*endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (!error) return acceptor;
    std::string why = error.message();
    if (error == asio::error::address_in_use) why = "another process listens there already";
    if (error == asio::error::access_denied) why = "this user may not use that port";
    return base::Status::Fatal("cannot listen on " + address + ": " + why);
  }

  LoopAwaitable<void> Accept(Acceptor& acceptor) {
    while (acceptor.is_open()) {
      Loop& loop = *loops[next_loop++ % loops.size()];
      auto [error, socket] = co_await acceptor.async_accept(loop.context.get_executor(), kAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // The rest is either one lost client or no descriptors left, which only time cures.
        if (error != asio::error::connection_aborted) {
          base::LogWarn("cannot accept a connection", {{"error", error.message()}});
          LoopTimer timer(loops.front()->context, kAcceptRetryDelay);
          co_await timer.async_wait(kAwait);
        }
        continue;
      }
      Dispatch(loop, std::move(socket));
    }
  }

  /// Hands a new connection to its loop, counted or refused.
  void Dispatch(Loop& loop, LoopSocket socket) {
    bool room = false;
    {
      const base::MutexLock lock(shared.mutex);
      room = shared.connections < shared.limits.connections_max;
      if (room) ++shared.connections;
    }
    asio::post(loop.context, [this, &loop, room, socket = std::move(socket)]() mutable {
      if (room) {
        StartConnection(shared, loop, std::move(socket));
      } else {
        RefuseConnection(shared, loop, std::move(socket));
      }
    });
  }

  void RunLoop(Loop& loop) {
    while (true) {
      try {
        loop.context.run();
        return;
      } catch (const std::exception& exception) {
        base::LogError("http thread caught an exception", {{"error", exception.what()}});
      }
    }
  }

  Options options;
  ServerShared shared;
  std::vector<std::unique_ptr<Loop>> loops;
  std::shared_ptr<LoopTimers> timers;
  /// Touched by the first loop's thread once it runs.
  std::vector<Acceptor> acceptors;
  size_t next_loop = 0;
  std::vector<std::jthread> threads;
};

HttpServer::HttpServer(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

HttpServer::~HttpServer() {
  Stop(std::chrono::milliseconds(0));
  impl_->timers->Stop();
}

base::Result<std::vector<std::string>> HttpServer::Start(Handler handler) {
  CHECK(impl_->threads.empty(), "an HTTP server starts once");
  std::vector<Acceptor> acceptors;
  std::vector<std::string> bound;
  for (const std::string& address : impl_->options.listen) {
    auto acceptor = impl_->Listen(address);
    if (!acceptor.ok()) return acceptor.status();
    acceptors.push_back(std::move(acceptor).value());
    error_code ignored;
    bound.push_back(ToText(acceptors.back().local_endpoint(ignored)));
  }
  impl_->shared.handler = std::move(handler);
  impl_->acceptors = std::move(acceptors);
  for (Acceptor& acceptor : impl_->acceptors) {
    asio::co_spawn(impl_->loops.front()->context, impl_->Accept(acceptor), asio::detached);
  }
  for (auto& loop : impl_->loops) {
    impl_->threads.emplace_back([impl = impl_.get(), &loop = *loop] { impl->RunLoop(loop); });
  }
  return bound;
}

void HttpServer::Stop(std::chrono::milliseconds deadline) {
  if (impl_->threads.empty()) return;
  impl_->shared.stopping = true;
  RunOn(*impl_->loops.front(), [this] {
    for (Acceptor& acceptor : impl_->acceptors) {
      error_code ignored;
      acceptor.close(ignored);
    }
  });
  for (auto& loop : impl_->loops) RunOn(*loop, [&loop] { StopConnections(*loop); });
  ServerShared& shared = impl_->shared;
  const auto none_left = [&shared]() REQUIRES(shared.mutex) { return shared.connections == 0; };
  {
    const base::MutexLock lock(shared.mutex);
    shared.changed.WaitFor(shared.mutex, deadline, none_left);
  }
  for (auto& loop : impl_->loops) RunOn(*loop, [&loop] { AbortConnections(*loop); });
  {
    const base::MutexLock lock(shared.mutex);
    shared.changed.Wait(shared.mutex, none_left);
  }
  impl_->timers->Stop();
  for (auto& loop : impl_->loops) loop->context.stop();
  impl_->threads.clear();
}

std::shared_ptr<Timers> HttpServer::timers() const { return impl_->timers; }

}  // namespace serving
