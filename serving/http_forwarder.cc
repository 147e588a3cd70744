#include "serving/http_forwarder.h"

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <deque>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/trace_context.h"
#include "serving/http_outgoing.h"
#include "serving/problem.h"
#include "serving/request_trace.h"

namespace serving {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

/// As in http_connection.cc: errors as values, and each co_await a statement of its own.
constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> kAwait{};

/// Why there is no answer, which is what the client is told.
enum class Failure {
  kNotReached,
  /// The request was sent, or part of it.
  kNoAnswer,
  kTooMany,
  kStopping,
  kTooLarge,
};

/// What metrics say of the requests that were to be forwarded. Threads: any.
class ForwardMetrics {
 public:
  explicit ForwardMetrics(base::Metrics* metrics) {
    if (metrics == nullptr) return;
    const auto counter = [metrics](const char* outcome) {
      return metrics->AddCounter(
          "herald_http_forwarded_requests_total",
          "Requests for an inbox that another instance has, by what came of passing them on.",
          {{"outcome", outcome}});
    };
    answered_ = counter("answered");
    failed_ = {{Failure::kNotReached, counter("not_reached")},
               {Failure::kNoAnswer, counter("no_answer")},
               {Failure::kTooMany, counter("too_many")},
               {Failure::kStopping, counter("stopping")},
               {Failure::kTooLarge, counter("too_large")}};
    duration_ = metrics->AddHistogram(
        "herald_http_forward_duration_seconds",
        "From a request's being passed on to the other instance's answer, or to giving it up.",
        base::DurationBuckets());
  }

  void Answered() const { answered_.Increment(); }
  void Failed(Failure failure) const {
    if (const auto counter = failed_.find(failure); counter != failed_.end()) {
      counter->second.Increment();
    }
  }
  void Took(std::chrono::nanoseconds time) const {
    duration_.Observe(std::chrono::duration<double>(time).count());
  }

 private:
  base::Counter answered_;
  std::map<Failure, base::Counter> failed_;
  base::Histogram duration_;
};

Response AnswerFor(Failure failure, bool read_only) {
  constexpr std::chrono::seconds kRetryAfter{1};
  const std::string may_be = read_only ? "" : " The request may have been applied.";
  switch (failure) {
    case Failure::kTooMany:
      return ToResponse({.status = 503,
                         .detail = "Too many requests wait for other instances.",
                         .retry_after = kRetryAfter});
    case Failure::kStopping:
      return ToResponse({.status = 503,
                         .detail = "This instance is stopping." + may_be,
                         .retry_after = kRetryAfter});
    case Failure::kTooLarge:
      return ToResponse({.status = 500,
                         .detail = "The answer of the instance that has this inbox is too large."});
    case Failure::kNotReached:
    case Failure::kNoAnswer:
      break;
  }
  return ToResponse({.status = 503,
                     .detail = "The instance that has this inbox does not answer." +
                               (failure == Failure::kNoAnswer ? may_be : std::string()),
                     .retry_after = kRetryAfter});
}

/// One request, until it is answered.
struct Job {
  Job(asio::io_context& context, OutgoingRequest request_in, Respond respond_in)
      : request(std::move(request_in)), respond(std::move(respond_in)), deadline(context) {}

  bool read_only() const { return request.method() == http::verb::get; }

  ServerAddress address;
  OutgoingRequest request;
  Respond respond;
  LoopTimer deadline;
  /// By the monotonic clock.
  const std::chrono::nanoseconds began = base::SystemClock::Instance().Monotonic();
  bool answered = false;
  /// From the first byte that may have gone out.
  bool sent = false;
  /// What it is using, to be closed when its time is over.
  OutgoingStream* stream = nullptr;
};
using JobPointer = std::shared_ptr<Job>;

/// A connection between two requests.
struct IdleStream {
  std::unique_ptr<OutgoingStream> stream;
  /// By the monotonic clock.
  std::chrono::nanoseconds expires;
};

/// All that goes to one address.
struct Peer {
  /// Most recently used last.
  std::vector<IdleStream> idle;
  size_t active = 0;
  std::deque<JobPointer> waiting;
};

/// What one try to exchange a request for its answer came to.
struct Attempt {
  /// The answer, or why there is none.
  std::optional<Response> response;
  Failure failure = Failure::kNotReached;
  /// No byte of an answer came, and time is not over.
  bool may_try_again = false;
  bool keep_alive = false;
};

}  // namespace

/// All but Forward() and the destructor runs on thread_.
class HttpForwarder::Impl {
 public:
  Impl(std::string application_id, const ForwarderLimits& limits, base::Metrics* metrics)
      : application_id_(std::move(application_id)),
        limits_(limits),
        metrics_(metrics),
        thread_([this] { RunLoop(); }) {}

  ~Impl() {
    asio::post(context_, [this] { Stop(); });
    work_.reset();
    thread_.join();
  }

  void Forward(const pipeline::Instance& to, const Request& request, Respond respond) {
    const bool read_only = request.method == "GET" || request.method == "HEAD";
    auto address = ParseServerAddress(to.address);
    if (!address.ok()) {
      // Without an address it has just not told anybody yet.
      if (!to.address.empty()) {
        base::LogWarn("cannot forward to an instance",
                      {{"instance", to.id}, {"why", address.status().message()}});
      }
      metrics_.Failed(Failure::kNotReached);
      respond(AnswerFor(Failure::kNotReached, read_only));
      return;
    }
    if (requests_.fetch_add(1) >= limits_.requests_max) {
      requests_.fetch_sub(1);
      metrics_.Failed(Failure::kTooMany);
      respond(AnswerFor(Failure::kTooMany, read_only));
      return;
    }
    auto job = std::make_shared<Job>(context_, MakeRequest(to, request, *address), std::move(respond));
    job->address = std::move(*address);
    asio::post(context_, [this, job = std::move(job)] { Take(job); });
  }

 private:
  OutgoingRequest MakeRequest(const pipeline::Instance& to, const Request& request,
                              const ServerAddress& address) const {
    Request forwarded;
    // A GET says how long the body is that HEAD leaves out; our server leaves it out again.
    forwarded.method = request.method == "HEAD" ? "GET" : request.method;
    forwarded.target = request.target;
    if (const auto type = request.Header("Content-Type")) {
      forwarded.headers.emplace_back("Content-Type", *type);
    }
    if (const auto stale = request.Header(kStaleHeader)) {
      forwarded.headers.emplace_back(kStaleHeader, *stale);
    }
    if (request.Header(base::kTraceParentHeader).has_value()) {
      for (const auto& [name, value] : TraceOf(request).headers) {
        forwarded.headers.emplace_back(name, value.value_or(""));
      }
    }
    forwarded.headers.emplace_back(kForwardedHeader, application_id_ + "/" + to.id);
    forwarded.body = request.body;
    return ToOutgoing(forwarded, address.ToText());
  }

  void RunLoop() {
    while (true) {
      try {
        context_.run();
        return;
      } catch (const std::exception& exception) {
        base::LogError("forwarder caught an exception", {{"error", exception.what()}});
      }
    }
  }

  void Take(const JobPointer& job) {
    if (stopping_) {
      GiveUp(*job, Failure::kStopping);
      return;
    }
    open_.insert(job.get());
    job->deadline.expires_after(limits_.request_timeout);
    job->deadline.async_wait([this, job](const error_code& error) {
      if (!error) GiveUp(*job, job->sent ? Failure::kNoAnswer : Failure::kNotReached);
    });
    Peer& peer = peers_[job->address.ToText()];
    if (peer.active < limits_.connections_per_address_max) {
      ++peer.active;
      asio::co_spawn(context_, Run(peer, job), asio::detached);
    } else {
      peer.waiting.push_back(job);
    }
    if (!sweeping_) SweepLater();
  }

  /// Serves `job` and then what waits for the same address.
  OutgoingAwaitable<void> Run(Peer& peer, JobPointer job) {
    while (job != nullptr) {
      try {
        co_await Serve(peer, *job);
      } catch (const std::exception& exception) {
        base::LogError("forwarding failed", {{"error", exception.what()}});
        job->stream = nullptr;  // it is gone
        GiveUp(*job, Failure::kNoAnswer);
      }
      job = NextOf(peer);
    }
    --peer.active;
  }

  static JobPointer NextOf(Peer& peer) {
    while (!peer.waiting.empty()) {
      JobPointer job = std::move(peer.waiting.front());
      peer.waiting.pop_front();
      if (!job->answered) return job;
    }
    return nullptr;
  }

  OutgoingAwaitable<void> Serve(Peer& peer, Job& job) {
    std::unique_ptr<OutgoingStream> stream = TakeIdle(peer);
    if (stream != nullptr) {
      Attempt attempt = co_await Exchange(job, *stream);
      if (!attempt.may_try_again) {
        Finish(peer, job, std::move(stream), std::move(attempt));
        co_return;
      }
    }
    stream = std::make_unique<OutgoingStream>(context_);
    const error_code error = co_await Connect(job, *stream);
    if (error) {
      GiveUp(job, job.sent ? Failure::kNoAnswer : Failure::kNotReached);
      co_return;
    }
    Attempt attempt = co_await Exchange(job, *stream);
    Finish(peer, job, std::move(stream), std::move(attempt));
  }

  void Finish(Peer& peer, Job& job, std::unique_ptr<OutgoingStream> stream, Attempt attempt) {
    if (!attempt.response.has_value()) {
      GiveUp(job, attempt.failure);
      return;
    }
    if (attempt.keep_alive && !stopping_) {
      peer.idle.push_back({std::move(stream), Now() + limits_.idle_timeout});
    }
    if (!job.answered) metrics_.Answered();
    Answer(job, std::move(*attempt.response));
  }

  OutgoingAwaitable<error_code> Connect(Job& job, OutgoingStream& stream) {
    const auto [look_up_error, endpoints] = co_await Resolve(context_, job.address);
    if (look_up_error) co_return look_up_error;
    if (job.answered) co_return asio::error::operation_aborted;
    job.stream = &stream;
    stream.expires_after(limits_.connect_timeout);
    const auto [error, endpoint] = co_await stream.async_connect(endpoints, kAwait);
    job.stream = nullptr;
    stream.expires_never();
    if (error) co_return error;
    error_code ignored;
    stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    co_return error;
  }

  OutgoingAwaitable<Attempt> Exchange(Job& job, OutgoingStream& stream) {
    Attempt attempt;
    attempt.failure = Failure::kNoAnswer;
    if (job.answered) co_return attempt;
    job.stream = &stream;
    job.sent = true;
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.header_limit(kAnswerHeaderBytesMax);
    parser.body_limit(limits_.body_bytes_max);
    auto [error, bytes] = co_await http::async_write(stream, job.request, kAwait);
    if (!error) {
      const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, kAwait);
      error = read_error;
    }
    job.stream = nullptr;
    if (error) {
      attempt.may_try_again = !job.answered && !parser.got_some() && buffer.size() == 0;
      if (error == http::error::body_limit) attempt.failure = Failure::kTooLarge;
      co_return attempt;
    }
    // What comes unasked for would be taken for the next request's answer.
    attempt.keep_alive = parser.keep_alive() && buffer.size() == 0;
    attempt.response = FromIncoming(parser.release());
    co_return attempt;
  }

  static std::unique_ptr<OutgoingStream> TakeIdle(Peer& peer) {
    if (peer.idle.empty()) return nullptr;
    IdleStream last = std::move(peer.idle.back());
    peer.idle.pop_back();
    return last.expires > Now() ? std::move(last.stream) : nullptr;
  }

  /// Answers a request that will not be answered from there, and lets go of what it uses.
  void GiveUp(Job& job, Failure failure) {
    if (job.stream != nullptr) job.stream->close();
    if (!job.answered) metrics_.Failed(failure);
    Answer(job, AnswerFor(failure, job.read_only()));
  }

  /// Does nothing when the request was answered before.
  void Answer(Job& job, Response response) {
    if (std::exchange(job.answered, true)) return;
    metrics_.Took(Now() - job.began);
    open_.erase(&job);
    job.deadline.cancel();
    requests_.fetch_sub(1);
    job.respond(std::move(response));
  }

  /// Closes, now and then, what was idle for too long, and forgets addresses that nobody uses.
  void SweepLater() {
    sweeping_ = true;
    sweep_timer_.expires_after(limits_.idle_timeout);
    sweep_timer_.async_wait([this](const error_code& error) {
      sweeping_ = false;
      if (error || stopping_) return;
      const std::chrono::nanoseconds now = Now();
      for (auto& [address, peer] : peers_) {
        std::erase_if(peer.idle, [now](const IdleStream& idle) { return idle.expires <= now; });
      }
      std::erase_if(peers_, [](const auto& entry) {
        const Peer& peer = entry.second;
        return peer.active == 0 && peer.idle.empty() && peer.waiting.empty();
      });
      if (!peers_.empty()) SweepLater();
    });
  }

  /// Afterwards nothing is left that keeps the loop running but what is about to end.
  void Stop() {
    stopping_ = true;
    const std::set<Job*> open = open_;
    for (Job* job : open) GiveUp(*job, Failure::kStopping);
    for (auto& [address, peer] : peers_) peer.idle.clear();
    sweep_timer_.cancel();
  }

  static std::chrono::nanoseconds Now() { return base::SystemClock::Instance().Monotonic(); }

  const std::string application_id_;
  const ForwarderLimits limits_;
  const ForwardMetrics metrics_;
  /// Not yet answered. Any thread.
  std::atomic<size_t> requests_{0};
  asio::io_context context_{1};
  asio::executor_work_guard<LoopExecutor> work_{context_.get_executor()};
  std::map<std::string, Peer> peers_;
  /// Taken and not yet answered; whoever serves them keeps them.
  std::set<Job*> open_;
  LoopTimer sweep_timer_{context_};
  bool sweeping_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

HttpForwarder::HttpForwarder(std::string application_id, ForwarderLimits limits,
                             base::Metrics* metrics)
    : impl_(std::make_unique<Impl>(std::move(application_id), limits, metrics)) {}

HttpForwarder::~HttpForwarder() = default;

void HttpForwarder::Forward(const pipeline::Instance& to, const Request& request, Respond respond) {
  impl_->Forward(to, request, std::move(respond));
}

}  // namespace serving
