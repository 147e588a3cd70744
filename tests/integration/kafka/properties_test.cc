#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "pipeline/librdkafka_client.h"

namespace pipeline {
namespace {

using testing::HasSubstr;

base::Status StatusOf(const std::map<std::string, std::string>& properties) {
  LibrdkafkaOptions options;
  options.brokers = "127.0.0.1:1";
  options.properties = properties;
  auto clients = NewLibrdkafkaClients(options);
  if (!clients.ok()) return clients.status();
  KafkaClients::GroupOptions group{"group", "instance", milliseconds(10000)};
  if (auto made = (*clients)->NewGroupConsumer(group); !made.ok()) return made.status();
  if (auto made = (*clients)->NewReader(KafkaClients::ReaderUse::kCatchUp); !made.ok()) {
    return made.status();
  }
  if (auto made = (*clients)->NewTransactionalProducer("id"); !made.ok()) return made.status();
  if (auto made = (*clients)->NewProducer(); !made.ok()) return made.status();
  if (auto made = (*clients)->NewAsyncProducer(); !made.ok()) return made.status();
  return base::Status::Ok();
}

TEST(LibrdkafkaProperties, MakesEveryKindOfClientWithoutAny) {
  const base::Status status = StatusOf({});
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(LibrdkafkaProperties, GoesToTheClientsThatKnowIt) {
  const base::Status status = StatusOf({{"fetch.wait.max.ms", "20"},
                                        {"linger.ms", "7"},
                                        {"compression.codec", "lz4"},
                                        {"batch.size", "500000"},
                                        {"socket.nagle.disable", "true"}});
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(LibrdkafkaProperties, NamesOneThatLibrdkafkaDoesNotKnow) {
  const base::Status status = StatusOf({{"fetch.wait.maximum", "20"}});
  EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("fetch.wait.maximum"));
}

TEST(LibrdkafkaProperties, NamesOneWithABadValue) {
  const base::Status status = StatusOf({{"fetch.wait.max.ms", "soon"}});
  EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("fetch.wait.max.ms"));
}

TEST(LibrdkafkaProperties, RefusesOneThatHeraldsGuaranteesStandOn) {
  for (const std::string name : {"isolation.level", "enable.auto.commit", "transactional.id"}) {
    const base::Status status = StatusOf({{name, "true"}});
    EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(status.message(), HasSubstr(name));
  }
}

}  // namespace
}  // namespace pipeline
