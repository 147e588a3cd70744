// A topology of its own on the engine, with a stage that ends the process at the word "crash": what a
// stage with a bug does. For tests/chaos/poison_that_kills.py.
//
//   crashing_words BROKERS APPLICATION_ID INSTANCE_ID STATE_DIRECTORY
//
// Copies topic "<application id>-words" to "<application id>-out" until SIGTERM.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/engine.h"
#include "pipeline/librdkafka_client.h"

namespace {

constexpr std::chrono::milliseconds kSessionTimeout{6000};
constexpr std::chrono::milliseconds kLook{50};
constexpr int32_t kPartitions = 2;

struct Word {
  std::string text;
};

}  // namespace

template <>
struct pipeline::Serde<Word> {
  base::Result<Word> Decode(const RawRecord& record) {
    return Word{std::string(record.value.value_or(""))};
  }
  void Encode(const Word& word, std::string& value) { value += word.text; }
};

namespace {

std::atomic<bool> stopping = false;

class CrashAtCrash : public pipeline::Processor<Word, Word> {
 public:
  base::Status Process(pipeline::Record<Word> record, pipeline::Context<Word>& context) override {
    // As kill -9 and the kernel's killer of memory hogs do it: nothing of ours runs any more.
    if (record.value.text == "crash") std::raise(SIGKILL);
    return context.Forward(std::move(record));
  }
};

std::vector<pipeline::TopicSpec> Specs(const std::string& application) {
  std::vector<pipeline::TopicSpec> specs(3);
  specs[0].name = application + "-words";
  specs[1].name = application + "-out";
  specs[2].name = application + "-dead-letters";
  for (pipeline::TopicSpec& spec : specs) spec.cleanup_policy = "delete";
  return specs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: crashing_words BROKERS APPLICATION_ID INSTANCE_ID STATE_DIRECTORY\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { stopping = true; });
  const std::string application = argv[2];
  pipeline::LibrdkafkaOptions kafka;
  kafka.brokers = argv[1];
  const auto clients = pipeline::NewLibrdkafkaClients(kafka);
  if (!clients.ok()) {
    std::fprintf(stderr, "%s\n", clients.status().ToString().c_str());
    return 1;
  }
  pipeline::TopologyBuilder builder;
  builder.Source<Word>("decode-word", application + "-words")
      .Process<CrashAtCrash>("crash-at-crash")
      .Sink("out", application + "-out");
  const pipeline::Topology topology = builder.Build();
  pipeline::EngineConfig config;
  config.application_id = application;
  config.instance_id = argv[3];
  config.state_directory = argv[4];
  config.dead_letters_topic = application + "-dead-letters";
  config.session_timeout = kSessionTimeout;
  base::Metrics metrics;
  pipeline::Engine engine(topology, config, Specs(application), kPartitions, **clients,
                          base::SystemClock::Instance(), metrics);
  base::Status status = engine.Start(stopping);
  while (status.ok() && !stopping) status = engine.WaitForFailure(kLook);
  engine.Stop();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
