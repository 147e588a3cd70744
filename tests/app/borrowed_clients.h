#pragma once

#include <memory>
#include <string>

#include "pipeline/kafka_client.h"

namespace app {

/// The clients of a test, for a command that wants to own some.
class BorrowedClients : public pipeline::KafkaClients {
 public:
  explicit BorrowedClients(pipeline::KafkaClients& clients) : clients_(clients) {}
  base::Result<std::unique_ptr<pipeline::Consumer>> NewGroupConsumer(
      const GroupOptions& options) override {
    return clients_.NewGroupConsumer(options);
  }
  base::Result<std::unique_ptr<pipeline::Consumer>> NewReader(ReaderUse use) override {
    return clients_.NewReader(use);
  }
  base::Result<std::unique_ptr<pipeline::Producer>> NewTransactionalProducer(
      const std::string& id) override {
    return clients_.NewTransactionalProducer(id);
  }
  base::Result<std::unique_ptr<pipeline::Producer>> NewProducer() override {
    return clients_.NewProducer();
  }
  base::Result<std::unique_ptr<pipeline::AsyncProducer>> NewAsyncProducer() override {
    return clients_.NewAsyncProducer();
  }
  pipeline::Admin& admin() override { return clients_.admin(); }

 private:
  pipeline::KafkaClients& clients_;
};

}  // namespace app
