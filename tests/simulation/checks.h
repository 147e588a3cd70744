#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/inbox_model.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/process.h"
#include "tests/support/fake_kafka.h"

namespace simulation {

/// Every inbox with its counts and its index of unread rows, read from whichever process has it.
/// REQUIRES: all processes are ready.
void CheckInboxes(const Plan& plan, const InboxModel& model, const std::vector<Process*>& processes,
                  std::vector<std::string>* problems);

/// The id of each row in the recipient's inbox, and the event that it was made from; empty when no
/// process has the inbox. REQUIRES: as above.
std::vector<std::pair<std::string, InboxModel::Place>> ReadRows(
    const Plan& plan, const std::vector<Process*>& processes, const std::string& recipient);

/// `notifications` and `dead-letters`: each record that there has to be, and no other; once under
/// exactly_once.
void CheckTopics(const Plan& plan, const InboxModel& model, const support::FakeCluster& cluster,
                 std::vector<std::string>* problems);

}  // namespace simulation
