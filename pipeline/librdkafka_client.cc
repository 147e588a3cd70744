#include "pipeline/librdkafka_client.h"

#include <utility>

#include "pipeline/librdkafka_admin.h"
#include "pipeline/librdkafka_async_producer.h"
#include "pipeline/librdkafka_consumer.h"
#include "pipeline/librdkafka_handle.h"
#include "pipeline/librdkafka_producer.h"

namespace pipeline {
namespace {

class LibrdkafkaClients : public KafkaClients {
 public:
  LibrdkafkaClients(std::shared_ptr<rdkafka::Shared> shared, std::unique_ptr<Admin> admin)
      : shared_(std::move(shared)), admin_(std::move(admin)) {}

  base::Result<std::unique_ptr<Consumer>> NewGroupConsumer(const GroupOptions& options) override {
    return LibrdkafkaConsumer::New(shared_, &options, ReaderUse::kCatchUp);
  }

  base::Result<std::unique_ptr<Consumer>> NewReader(ReaderUse use) override {
    return LibrdkafkaConsumer::New(shared_, nullptr, use);
  }

  base::Result<std::unique_ptr<Producer>> NewTransactionalProducer(
      const std::string& transactional_id) override {
    return LibrdkafkaProducer::New(shared_, transactional_id);
  }

  base::Result<std::unique_ptr<Producer>> NewProducer() override {
    return LibrdkafkaProducer::New(shared_, "");
  }

  base::Result<std::unique_ptr<AsyncProducer>> NewAsyncProducer() override {
    return LibrdkafkaAsyncProducer::New(shared_);
  }

  Admin& admin() override { return *admin_; }

  void UpdateMetrics() override { shared_->statistics->Update(); }

 private:
  std::shared_ptr<rdkafka::Shared> shared_;
  std::unique_ptr<Admin> admin_;
};

}  // namespace

base::Result<std::unique_ptr<KafkaClients>> NewLibrdkafkaClients(const LibrdkafkaOptions& options) {
  auto shared = std::make_shared<rdkafka::Shared>();
  shared->options = options;
  shared->statistics = std::make_unique<rdkafka::Statistics>(options.metrics);
  RETURN_IF_ERROR(rdkafka::SplitProperties(shared.get()));
  base::Result<std::unique_ptr<Admin>> admin = LibrdkafkaAdmin::New(shared);
  if (!admin.ok()) return admin.status();
  shared->admin = admin->get();
  return std::unique_ptr<KafkaClients>(
      std::make_unique<LibrdkafkaClients>(std::move(shared), std::move(admin).value()));
}

std::string LibrdkafkaVersion() { return rd_kafka_version_str(); }

}  // namespace pipeline
