#include "tests/simulation/trouble.h"

#include <array>
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

}  // namespace

void Trouble::FailACall(support::FakeClients& clients) {
  const Failure& failure = kFailures[random_() % kFailures.size()];
  const std::string call(failure.call);
  const Status status = failure.code == StatusCode::kLost
                            ? Status::Lost(call + " was ordered to fail")
                            : Status::Unavailable(call + " was ordered to fail");
  clients.FailNext(call, status, static_cast<int>(1 + random_() % 2));
  ++counts_["a call fails"];
}

void Trouble::Strike(const std::string& instance, support::FakeClients& clients,
                     ChangelogTails& tails) {
  cluster_.SetReachable(true);
  switch (random_() % 9) {
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
    default:
      FailACall(clients);
  }
}

}  // namespace simulation
