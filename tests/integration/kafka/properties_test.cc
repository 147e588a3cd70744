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

TEST(LibrdkafkaProperties, SaysNoValueThatMayBeASecret) {
  testing::internal::CaptureStderr();
  std::string said;
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"sasl.pasword", "hunter2"},
           {"security.protocol", "hunter2"},
           {"ssl.key.pem", "hunter2"},
           {"ssl.key.password", "hunter2"},
           {"ssl.certificate.pem", "hunter2"},
           {"sasl.oauthbearer.config", "hunter2"},
           {"fetch.wait.max.ms", "hunter2"}}) {
    const base::Status status = StatusOf({{name, value}, {"debug", "all"}});
    said += name + ": " + status.ToString() + "\n";
  }
  said += StatusOf({{"security.protocol", "SASL_PLAINTEXT"},
                    {"sasl.mechanism", "PLAIN"},
                    {"sasl.username", "herald"},
                    {"sasl.password", "hunter2"},
                    {"debug", "all"}})
              .ToString();
  said += testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("sasl.pasword"));
  EXPECT_THAT(said, testing::Not(HasSubstr("hunter2"))) << said;
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
