#include "tests/simulation/trouble.h"

#include <array>
#include <chrono>
#include <string_view>

namespace simulation {
namespace {

using base::Status;
using base::StatusCode;

/// Calls and what they may answer by their contract.
struct Failure {
  std::string_view call;
  StatusCode code;
};

constexpr std::array kFailures = {
    Failure{"consumer.subscribe", StatusCode::kUnavailable},
    Failure{"consumer.poll", StatusCode::kUnavailable},
    Failure{"consumer.poll", StatusCode::kLost},
    Failure{"consumer.committed", StatusCode::kUnavailable},
    Failure{"consumer.commit_positions", StatusCode::kUnavailable},
    Failure{"consumer.seek", StatusCode::kUnavailable},
    Failure{"reader.assign", StatusCode::kUnavailable},
    Failure{"reader.poll", StatusCode::kUnavailable},
    Failure{"producer.init", StatusCode::kUnavailable},
    Failure{"producer.init", StatusCode::kLost},
    Failure{"producer.begin", StatusCode::kUnavailable},
    Failure{"producer.begin", StatusCode::kLost},
    Failure{"producer.produce", StatusCode::kUnavailable},
    Failure{"producer.produce", StatusCode::kLost},
    Failure{"producer.send_positions", StatusCode::kUnavailable},
    Failure{"producer.send_positions", StatusCode::kLost},
    Failure{"producer.commit", StatusCode::kUnavailable},
    Failure{"producer.commit", StatusCode::kLost},
    Failure{"producer.abort", StatusCode::kUnavailable},
    Failure{"producer.abort", StatusCode::kLost},
    Failure{"producer.flush", StatusCode::kUnavailable},
    Failure{"admin.list_offsets", StatusCode::kUnavailable},
    Failure{"admin.describe_topics", StatusCode::kUnavailable},
};

/// Calls that may do what they should and then not be heard of.
constexpr std::array kLostAnswers = {
    Failure{"producer.init", StatusCode::kUnavailable},
    Failure{"producer.init", StatusCode::kLost},
    Failure{"producer.send_positions", StatusCode::kUnavailable},
    Failure{"producer.abort", StatusCode::kLost},
    Failure{"producer.flush", StatusCode::kUnavailable},
    Failure{"consumer.commit_positions", StatusCode::kUnavailable},
    Failure{"admin.create_topics", StatusCode::kUnavailable},
};

constexpr std::array kStoreFailures = {
    Failure{"state.open", StatusCode::kUnavailable},
    Failure{"state.open", StatusCode::kCorruption},
    Failure{"state.open", StatusCode::kFatal},
    Failure{"state.destroy", StatusCode::kUnavailable},
    Failure{"state.commit", StatusCode::kCorruption},
    Failure{"state.commit", StatusCode::kFatal},
    Failure{"state.commit", StatusCode::kFatal},
    Failure{"state.restore", StatusCode::kCorruption},
    Failure{"state.restore", StatusCode::kFatal},
    Failure{"state.note", StatusCode::kFatal},
    Failure{"state.read", StatusCode::kCorruption},
};

constexpr std::array<std::string_view, 14> kSlowSteps = {
    "consumer.poll.before",
    "consumer.poll.after",
    "consumer.committed.after",
    "producer.init.after",
    "producer.produce.before",
    "producer.send_positions.before",
    "producer.commit.before",
    "producer.commit.flushed",
    "producer.commit.after",
    "producer.flush.partial",
    "consumer.commit_positions.before",
    "reader.poll.after",
    "admin.list_offsets.after",
    "state.commit.before",
};
/// Against limits of 3, 5, 10 and 60 s: a request's, a member's, a transaction's.
constexpr std::array kDelays = {std::chrono::seconds(1), std::chrono::seconds(6),
                                std::chrono::seconds(20), std::chrono::seconds(90)};
constexpr std::chrono::seconds kSessionTimeout{10};
constexpr std::chrono::seconds kTransactionTimeout{60};

Status Ordered(const Failure& failure) {
  const std::string what = std::string(failure.call) + " was ordered to fail";
  switch (failure.code) {
    case StatusCode::kLost:
      return Status::Lost(what);
    case StatusCode::kCorruption:
      return Status::Corruption(what);
    case StatusCode::kFatal:
      return Status::Fatal(what);
    default:
      return Status::Unavailable(what);
  }
}

}  // namespace

void Trouble::LoseAnAnswer(support::FakeClients& clients) {
  const Failure& failure = kLostAnswers[random_() % kLostAnswers.size()];
  clients.LoseNextAnswer(std::string(failure.call), Ordered(failure));
  ++counts_["an answer is lost"];
}

/// Time passes within a call, for all: who does not poll meanwhile loses its place in the group,
/// and transactions grow too old.
void Trouble::SlowDown(const std::string& instance, Process& process) {
  const std::string step(kSlowSteps[random_() % kSlowSteps.size()]);
  const std::chrono::seconds delay = kDelays[random_() % kDelays.size()];
  process.LingerAt(step, [this, instance, delay] {
    clock_.Advance(delay);
    cluster_.ExpireTransactions(kTransactionTimeout);
    if (delay > kSessionTimeout) cluster_.ExpireMember("simulation", instance + "-0");
    ++counts_[delay > kSessionTimeout ? "a call takes too long" : "a call takes long"];
  });
}

void Trouble::FailTheStore(WatchedStates& states) {
  const Failure& failure = kStoreFailures[random_() % kStoreFailures.size()];
  states.FailNext(std::string(failure.call), Ordered(failure));
  ++counts_["a store fails"];
}

void Trouble::FailACall(support::FakeClients& clients) {
  const Failure& failure = kFailures[random_() % kFailures.size()];
  const std::string call(failure.call);
  clients.FailNext(call, Ordered(failure), static_cast<int>(1 + random_() % 2));
  ++counts_["a call fails"];
}

void Trouble::Strike(const std::string& instance, Process& process, ChangelogTails& tails) {
  support::FakeClients& clients = process.clients();
  cluster_.SetReachable(true);
  switch (random_() % 15) {
    case 0:
      clients.LoseNextCommit(support::LostCommit::kCommitted);
      ++counts_["commit lost, committed"];
      break;
    case 1:
      clients.LoseNextCommit(support::LostCommit::kAborted);
      ++counts_["commit lost, aborted"];
      break;
    case 2:
      clients.LoseNextCommit(support::LostCommit::kUndecided);
      ++counts_["commit lost, undecided"];
      break;
    case 3:
      cluster_.ExpireMember("simulation", instance + "-0");
      ++counts_["member expired alive"];
      break;
    case 4:
      cluster_.ExpireTransactions();
      ++counts_["transactions expired"];
      break;
    case 5:
      cluster_.SetReachable(false);
      ++counts_["brokers away"];
      break;
    case 6:
      tails.Look();
      cluster_.Compact("simulation-inbox-changelog");
      ++counts_["changelog compacted alive"];
      break;
    case 7:
    case 8:
      LoseAnAnswer(clients);
      break;
    case 9:
    case 10:
      SlowDown(instance, process);
      break;
    case 11:
    case 12:
      FailTheStore(process.states());
      break;
    default:
      FailACall(clients);
  }
}

}  // namespace simulation
