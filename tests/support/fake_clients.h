#pragma once

#include <memory>
#include <string>

#include "pipeline/kafka_client.h"

/// The twin's client objects, one file each.
namespace support {

struct Incarnation;

std::unique_ptr<pipeline::Consumer> MakeFakeReader(std::shared_ptr<Incarnation> incarnation);
std::unique_ptr<pipeline::Consumer> MakeFakeGroupConsumer(
    std::shared_ptr<Incarnation> incarnation, const pipeline::KafkaClients::GroupOptions& options);
/// An empty id: without transactions.
std::unique_ptr<pipeline::Producer> MakeFakeProducer(std::shared_ptr<Incarnation> incarnation,
                                                     const std::string& transactional_id);
std::unique_ptr<pipeline::AsyncProducer> MakeFakeAsyncProducer(
    std::shared_ptr<Incarnation> incarnation);
std::unique_ptr<pipeline::Admin> MakeFakeAdmin(std::shared_ptr<Incarnation> incarnation);

}  // namespace support
