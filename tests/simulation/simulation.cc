#include "tests/simulation/simulation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "pipeline/partitioner.h"
#include "pipeline/store_registry.h"
#include "stages/inbox_rows.h"
#include "tests/simulation/changelog_tails.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/crash_points.h"
#include "tests/simulation/event_story.h"
#include "tests/simulation/inbox_model.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/process.h"
#include "tests/simulation/reader_story.h"
#include "tests/simulation/state_trouble.h"
#include "tests/simulation/trouble.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"

namespace simulation {
namespace {

constexpr int64_t kBeginMs = 1795237200000;  // 2026-11-21T05:00:00Z
constexpr std::chrono::milliseconds kRetryWait{500};
constexpr std::chrono::milliseconds kSessionTimeout{10000};
constexpr std::chrono::milliseconds kTransactionTimeout{60000};
/// A simulation that needs more turns than this is stuck.
constexpr int kTurnsMax = 20000;
/// After this many turns no more trouble comes.
constexpr int kTroubledTurnsMax = 1500;
/// Part of what an ordered failure says.
constexpr std::string_view kOrderedToFail = "was ordered to fail";
/// Where a process stands still for good.
const char* const kStalledAt = "producer.commit.after";
const char* const kChangelog = "simulation-inbox-changelog";

/// One instance with its directory; now and then it has a process.
struct Instance {
  Instance(std::string name, const std::filesystem::path& scratch, bool rocksdb)
      : id(std::move(name)),
        directory(scratch / id),
        state(rocksdb ? TroubleOnDisk(directory, scratch / (id + "-copy")) : TroubleInMemory()) {}

  const std::string id;
  const std::filesystem::path directory;
  const std::unique_ptr<StateTrouble> state;
  std::unique_ptr<Process> process;
  /// Its last turn found nothing to do: positions may be committed though their answer was lost, and
  /// the process is about to replay them.
  bool idle = false;
  bool ready = false;
  bool remembered = false;
  bool stalls = false;
  int stop_at_turn = 0;
  /// It was stopped in peace, so that there is nothing to replay.
  bool all_committed = false;
  int64_t down_since_ms = 0;
  int64_t down_until_ms = 0;
  bool member_expired = true;
  /// Its rows lack one transaction at most. Not so after its databases fell back, until they are
  /// restored.
  bool rows_recent = true;
  /// How often it came to its end, or started again from within, since everything was replayed: each
  /// leaves a transaction to replay.
  uint64_t ends_unreplayed = 0;
  /// What had been read of the changelog when the process started; set while it says how much the
  /// process replays.
  std::optional<uint64_t> changelog_read_at_start;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed),
        plan_(Plan::Draw(random_)),
        clock_(kBeginMs),
        cluster_({.seed = random_(), .clock = &clock_, .poll_clock = &clock_}),
        story_(random_, kBeginMs),
        reader_story_(random_, model_),
        trouble_(random_, cluster_, clock_),
        tails_(cluster_, kChangelog) {}

  Outcome Run() {
    SetUp();
    while (!finished_ && outcome_.problems.empty()) {
      if (++outcome_.turns > kTurnsMax) {
        Problem("does not come to rest");
        break;
      }
      Turn();
    }
    if (outcome_.problems.empty()) Check("");
    if (outcome_.problems.empty()) RestoreFromNothing();
    for (const auto& [name, times] : trouble_.counts()) outcome_.troubles[name] += times;
    if (!outcome_.problems.empty()) outcome_.problems.push_back("plan: " + plan_.ToString());
    return std::move(outcome_);
  }

 private:
  uint64_t Draw(uint64_t below) { return random_() % below; }
  void Problem(const std::string& what) { outcome_.problems.push_back(what); }

  void SetUp() {
    CreateTopics(plan_, cluster_);
    cluster_.SetMarkerDelay(plan_.marker_delay_max);
    cluster_.SetPollRecordsMax(plan_.poll_records_max);
    for (const auto& [id, json] : StoryTeller::Users()) {
      cluster_.Append("users", base::Partition{static_cast<int32_t>(id[0] % 2)}, id, json);
    }
    for (int i = 0; i < plan_.instances; ++i) {
      instances_.emplace_back(std::make_unique<Instance>(std::string(1, static_cast<char>('a' + i)),
                                                         scratch_.path(), plan_.rocksdb));
    }
    crashes_left_ = plan_.crashes;
  }

  /// A third of the crashes is kept for when the readers act.
  bool Troubled() const {
    const int kept = plan_.actions > 0 && !acting_ ? plan_.crashes / 3 : 0;
    return crashes_left_ > kept && outcome_.turns < troubled_until_;
  }

  void Turn() {
    if (events_told_ < plan_.events && Draw(3) == 0) Tell();
    if (!acting_ && events_told_ == plan_.events && plan_.actions > 0 && Drained()) BeginToAct();
    if (acting_ && actions_told_ < plan_.actions && Draw(3) == 0) Act();
    if (!Troubled()) {
      cluster_.SetReachable(true);
      cluster_.DeliverLateCommits();
      for (const auto& instance : instances_) {
        if (instance->process != nullptr) instance->process->states().FailNoMore();
      }
      const bool all_told = events_told_ == plan_.events && actions_told_ == plan_.actions;
      if (all_told && Drained()) finished_ = true;
    }
    // No further step: a crash that has not come yet stays away.
    if (finished_) return;
    Instance& instance = *instances_[Draw(instances_.size())];
    PassTimeOfDead();
    if (instance.process == nullptr) {
      if (clock_.NowMs() < instance.down_until_ms && Troubled()) {
        clock_.Advance(kRetryWait);
        return;
      }
      StartProcess(instance);
    }
    try {
      if (Troubled() && Draw(1000) < static_cast<uint64_t>(plan_.troubles_per_mille)) {
        trouble_.Strike(instance.id, *instance.process, tails_);
        instance.changelog_read_at_start.reset();
      }
      if (Troubled() && plan_.exactly_once() && plan_.instances > 1 &&
          Draw(1000) < static_cast<uint64_t>(plan_.stalls_per_mille)) {
        // Stands still in its next commit, for good.
        instance.process->clients().LoseNextCommit(support::LostCommit::kLate);
        instance.process->CrashAt({kStalledAt, 1, kTroubledTurnsMax});
        instance.stalls = true;
      }
      if (Troubled() && outcome_.turns == instance.stop_at_turn) {
        // Before that it had not even replayed what its predecessor left.
        const bool ready = instance.process->Ready();
        instance.process->Stop();
        EndProcess(instance, "stopped");
        instance.all_committed = ready && plan_.troubles_per_mille == 0;
        return;
      }
      const auto turn = instance.process->RunOnce();
      instance.idle = turn.ok() && *turn == pipeline::Turn::kIdle;
      if (!turn.ok()) {
        // A store that fails for good ends the process; whoever starts it again loses nothing.
        if (turn.status().message().find(kOrderedToFail) != std::string::npos) {
          EndProcess(instance, "ended by its store");
          return;
        }
        Problem("instance " + instance.id + " ended: " + turn.status().ToString());
        return;
      }
      if (*turn == pipeline::Turn::kRetry) clock_.Advance(kRetryWait);
      CheckReplayed(instance);
      CheckServed(instance);
    } catch (const SimulatedCrash& crash) {
      ++outcome_.crashes[crash.step];
      if (acting_) ++outcome_.troubles["crashed while readers acted"];
      const bool stalled = std::exchange(instance.stalls, false) && crash.step == kStalledAt;
      // Others need time to take over before the trouble is over.
      if (!stalled) --crashes_left_;
      EndProcess(instance, "crashed");
      if (stalled) TakeOverFrom(instance);
      AfterCrash(instance);
    }
  }

  void Tell() {
    const uint64_t count = 1 + Draw(8);
    std::vector<StoryEvent> batch;
    for (uint64_t i = 0; i < count && events_told_ < plan_.events; ++i, ++events_told_) {
      batch.push_back(story_.Next());
      Deliver(batch.back());
    }
    if (Draw(20) != 0) return;
    // The client did not hear of it, and sends what it has again, as it comes.
    std::shuffle(batch.begin(), batch.end(), random_);
    for (const StoryEvent& event : batch) Deliver(event);
    ++outcome_.troubles["events came again, out of order"];
  }

  void Deliver(StoryEvent event) {
    event.partition =
        base::Partition{static_cast<int32_t>(Draw(static_cast<uint64_t>(plan_.event_partitions)))};
    event.offset = cluster_.Append("events", event.partition, std::nullopt, event.value);
    model_.Add(event);
    ++outcome_.events;
  }

  /// All rows are there, so that what becomes of them depends on what the readers do alone.
  void BeginToAct() {
    acting_ = true;
    troubled_until_ = outcome_.turns + kTroubledTurnsMax / 2;
    // A torn commit of a deletion may leave the row to be found again.
    reader_story_.Begin(/*deletes=*/plan_.exactly_once());
    for (const std::string& recipient : StoryTeller::Recipients()) {
      for (const auto& [id, place] : ReadRows(plan_, Processes(), recipient)) {
        reader_story_.AddRow(recipient, id, place);
      }
    }
  }

  void Act() {
    const uint64_t count = 1 + Draw(4);
    for (uint64_t i = 0; i < count && actions_told_ < plan_.actions; ++i, ++actions_told_) {
      const auto [recipient, value] = reader_story_.Next();
      cluster_.Append("inbox-actions", pipeline::PartitionForKey(recipient, plan_.inbox_partitions),
                      recipient, value);
      ++outcome_.troubles["reader acted"];
      ++outcome_.events;
    }
  }

  std::vector<Process*> Processes() const {
    std::vector<Process*> processes;
    for (const auto& instance : instances_) processes.push_back(instance->process.get());
    return processes;
  }

  void StartProcess(Instance& instance) {
    instance.process = std::make_unique<Process>(plan_, instance.id, instance.directory,
                                                 instance.state->states(), cluster_, clock_);
    // With another instance to take over, more often: what is handed over must be complete.
    const bool stops = Draw(plan_.instances > 1 ? 2 : 3) == 0;
    instance.stop_at_turn = stops ? outcome_.turns + static_cast<int>(Draw(80)) : 0;
    if (Troubled()) ArmCrash(instance);
    // With one thread alone on the topic, what it reads of the changelog is what was replayed.
    const bool bounded =
        plan_.exactly_once() && plan_.instances == 1 && plan_.threads == 1 && instance.rows_recent;
    instance.changelog_read_at_start.reset();
    if (bounded) instance.changelog_read_at_start = cluster_.RecordsRead(kChangelog);
    instance.member_expired = false;
    instance.stalls = false;
    instance.idle = false;
    instance.ready = false;
  }

  void ArmCrash(Instance& instance) {
    CrashPoint point = DrawCrashPoint(random_, plan_, outcome_.turns == 1);
    // Some steps do not come by themselves.
    if (point.step.starts_with("consumer.leave") || point.step.starts_with("consumer.on_revoked")) {
      instance.stop_at_turn = outcome_.turns + static_cast<int>(Draw(30));
    } else if (point.step.starts_with("consumer.on_lost")) {
      point.occurrence = 1;
      instance.process->LingerAt("consumer.on_assigned.after", [this, id = instance.id] {
        cluster_.ExpireMember("simulation", id + "-0");
      });
    } else if (point.step.starts_with("state.destroy")) {
      point.occurrence = 1;
      if (instance.state->Spoil(random_)) instance.rows_recent = false;
    } else if (point.step.starts_with("producer.abort")) {
      instance.process->clients().FailNext("producer.send_positions",
                                           base::Status::Unavailable("ordered"));
    }
    instance.process->CrashAt(point);
  }

  void EndProcess(Instance& instance, const std::string& how) {
    ++outcome_.troubles[how];
    for (const auto& [failure, times] : instance.process->states().failed()) {
      outcome_.troubles[failure] += times;
      // Its rows may have been wiped.
      instance.rows_recent = false;
    }
    instance.process.reset();
    instance.all_committed = false;
    ++instance.ends_unreplayed;
    instance.down_since_ms = clock_.NowMs();
    // Seldom long enough for the group and the transactions to give the process up.
    instance.down_until_ms =
        clock_.NowMs() + (Draw(6) == 0 ? 2 * kTransactionTimeout : kRetryWait).count();
  }

  /// What the process had on its way when it stood still arrives while others take over its
  /// partitions, at some step of theirs.
  void TakeOverFrom(Instance& instance) {
    ++outcome_.troubles["stood still in a commit"];
    instance.down_until_ms = clock_.NowMs() + (2 * kTransactionTimeout).count();
    instance.member_expired = true;
    for (int slot = 0; slot < plan_.threads; ++slot) {
      cluster_.ExpireMember("simulation", instance.id + "-" + std::to_string(slot));
    }
    // Most often where the order of the questions before a restore decides.
    static constexpr std::array kSteps = {"consumer.committed.before", "consumer.committed.before",
                                          "consumer.committed.before", "consumer.committed.after",
                                          "consumer.on_revoked.after", "consumer.on_assigned.after",
                                          "admin.list_offsets.after",  "state.open.before"};
    for (const auto& other : instances_) {
      if (other->process == nullptr) continue;
      const std::string step = kSteps[Draw(kSteps.size())];
      other->process->LingerAt(step, [this, step] {
        const int arrived = cluster_.DeliverLateCommits();
        if (arrived > 0) outcome_.troubles["a late commit arrives at " + step] += arrived;
      });
    }
  }

  void AfterCrash(Instance& instance) {
    const uint64_t fate = Draw(14);
    bool touched = false;
    if (fate == 0 || !instance.remembered) {
      instance.state->Remember();
      instance.remembered = true;
    } else if (fate == 1) {
      touched = instance.state->FallBack();
      if (touched) ++outcome_.troubles["fell back"];
    } else if (fate == 2) {
      touched = instance.state->FallBackOne(random_);
      if (touched) ++outcome_.troubles["one database fell back"];
    } else if (fate == 3) {
      instance.state->LoseLogTails(random_);
      touched = true;
      ++outcome_.troubles["log tails lost"];
    } else if (fate == 4) {
      instance.state->Lose();
      touched = true;
      ++outcome_.troubles["state lost"];
    } else if (fate == 5) {
      touched = instance.state->Spoil(random_);
      if (touched) ++outcome_.troubles["a database spoiled"];
    }
    if (touched) instance.rows_recent = false;
    if (Draw(3) == 0) {
      tails_.Look();
      cluster_.Compact(kChangelog);
      ++outcome_.troubles["changelog compacted"];
    }
  }

  /// Members and transactions of processes that stay away are given up.
  void PassTimeOfDead() {
    for (const auto& instance : instances_) {
      if (instance->process != nullptr || instance->member_expired) continue;
      if (clock_.NowMs() - instance->down_since_ms < kSessionTimeout.count()) continue;
      instance->member_expired = true;
      for (int slot = 0; slot < plan_.threads; ++slot) {
        cluster_.ExpireMember("simulation", instance->id + "-" + std::to_string(slot));
      }
      ++outcome_.troubles["member expired"];
    }
    cluster_.ExpireTransactions(kTransactionTimeout);
  }

  /// Nobody answers for an inbox that it was told to give up, however long that took. (A member
  /// that expired does not know yet.)
  void CheckServed(Instance& instance) {
    const auto held = cluster_.Held("simulation");
    std::set<base::Partition> owned;
    for (int slot = 0; slot < plan_.threads; ++slot) {
      const auto member = held.find(instance.id + "-" + std::to_string(slot));
      if (member == held.end()) return;
      for (const base::TopicPartition& tp : member->second) {
        if (tp.topic == "notifications") owned.insert(tp.partition);
      }
    }
    for (int32_t i = 0; i < plan_.inbox_partitions; ++i) {
      const base::Partition partition{i};
      const auto found = instance.process->engine().stores().Find(stages::kInboxStore, partition);
      if (found.where != pipeline::StoreLookup::Where::kHere) continue;
      if (!owned.contains(partition)) {
        Problem("instance " + instance.id + " serves inboxes of partition " + std::to_string(i) +
                ", which it does not have");
      }
    }
  }

  /// Design: a crash costs the replay of at most one transaction's tail.
  void CheckReplayed(Instance& instance) {
    const bool was_ready = std::exchange(instance.ready, instance.process->Ready());
    // It starts again from within, e.g. after a commit without an answer.
    if (was_ready && !instance.ready) ++instance.ends_unreplayed;
    if (!instance.ready) return;
    instance.rows_recent = true;
    const uint64_t ends = std::max(uint64_t{1}, std::exchange(instance.ends_unreplayed, 0));
    if (!instance.changelog_read_at_start.has_value()) return;
    const uint64_t replayed = cluster_.RecordsRead(kChangelog) - *instance.changelog_read_at_start;
    tails_.Look();
    // Each thread has a transaction of its own.
    const uint64_t largest =
        tails_.LargestTransaction() * static_cast<uint64_t>(plan_.threads) * ends;
    const uint64_t most = instance.all_committed ? 0 : largest;
    if (replayed > most) {
      Problem("replayed " + std::to_string(replayed) + " changelog records, at most " +
              std::to_string(most) + " were to be");
    }
    if (instance.all_committed) ++outcome_.troubles["nothing to replay"];
    ++outcome_.troubles["replay checked"];
    if (replayed > 0) ++outcome_.troubles["something replayed"];
    instance.changelog_read_at_start.reset();
  }

  bool Drained() {
    for (const auto& instance : instances_) {
      if (instance->process == nullptr || !instance->process->Ready() || !instance->idle) {
        return false;
      }
    }
    if (!cluster_.OpenTransactions().empty()) return false;
    const base::Positions committed = cluster_.CommittedPositions("simulation");
    for (const auto& [topic, count] : {std::pair{"events", plan_.event_partitions},
                                       {"notifications", plan_.inbox_partitions},
                                       {"inbox-actions", plan_.inbox_partitions}}) {
      for (int32_t i = 0; i < count; ++i) {
        const base::TopicPartition tp{topic, base::Partition{i}};
        const auto at = committed.find(tp);
        const base::Offset position = at == committed.end() ? base::Offset{0} : at->second;
        if (position < cluster_.LogEnd(tp)) return false;
      }
    }
    return true;
  }

  void Check(const std::string& when) {
    std::vector<std::string> found;
    CheckInboxes(plan_, model_, Processes(), &found);
    CheckTopics(plan_, model_, cluster_, &found);
    for (const std::string& problem : found) Problem(when + problem);
  }

  /// The changelog alone, cleaned, must bring back the same inboxes. Tombstones are gone by then: a
  /// directory that comes back after that long must not be trusted.
  void RestoreFromNothing() {
    Instance& first = *instances_.front();
    const bool come_back_late = Draw(2) == 0;
    for (const auto& instance : instances_) {
      instance->process.reset();
      if (!come_back_late || !instance->state->FallBack()) instance->state->Lose();
      instance->rows_recent = false;
    }
    if (come_back_late) {
      ++outcome_.troubles["late return"];
      clock_.Advance(std::chrono::hours(8 * 24));
      cluster_.ExpireTransactions();
    }
    cluster_.Compact(kChangelog, /*drop_tombstones=*/come_back_late);
    finished_ = false;
    crashes_left_ = 0;
    for (int turns = 0; outcome_.problems.empty() && !Drained(); ++turns) {
      if (turns > kTurnsMax) return Problem("does not come back from the changelog");
      Turn();
    }
    if (outcome_.problems.empty()) {
      Check(come_back_late ? "late return: " : "restored: ");
      first.process->Stop();
    }
  }

  std::mt19937_64 random_;
  const Plan plan_;
  base::ManualClock clock_;
  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  StoryTeller story_;
  InboxModel model_;
  ReaderStory reader_story_;
  Trouble trouble_;
  ChangelogTails tails_;
  std::vector<std::unique_ptr<Instance>> instances_;
  Outcome outcome_;
  int events_told_ = 0;
  int actions_told_ = 0;
  bool acting_ = false;
  int troubled_until_ = kTroubledTurnsMax;
  int crashes_left_ = 0;
  bool finished_ = false;
};

}  // namespace

std::vector<std::string> CrashSteps() {
  std::vector<std::string> steps = AllSteps(true);
  for (const std::string& step : AllSteps(false)) {
    if (std::find(steps.begin(), steps.end(), step) == steps.end()) steps.push_back(step);
  }
  return steps;
}

Outcome Simulate(uint64_t seed) { return Simulation(seed).Run(); }

}  // namespace simulation
