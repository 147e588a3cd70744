#include "pipeline/librdkafka_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pipeline::rdkafka {
namespace {

using testing::HasSubstr;
using testing::Not;

/// As librdkafka writes it, less what nobody reads.
std::string Text(int retries, const std::string& node = "1", const std::string& state = "UP") {
  return R"({"name":"herald#producer-1","type":"producer","replyq":0,"msg_cnt":5,"msg_size":700,)"
         R"("brokers":{"127.0.0.1:9092/)" +
         node + R"(":{"name":"127.0.0.1:9092/)" + node + R"(","nodeid":)" + node +
         R"(,"state":")" + state +
         R"(","outbuf_cnt":1,"outbuf_msg_cnt":0,"waitresp_cnt":2,"txerrs":1,"txretries":)" +
         std::to_string(retries) +
         R"(,"rxerrs":2,"req_timeouts":3,"disconnects":4,)"
         R"("rtt":{"min":100,"max":9000,"avg":1500,"p99":8000,"cnt":7},)"
         R"("toppars":{"events-0":{"topic":"events","partition":0}}},)"
         R"("GroupCoordinator":{"name":"GroupCoordinator","nodeid":)" +
         node + R"(,"state":")" + state +
         R"(","outbuf_cnt":0,"waitresp_cnt":1,"txerrs":0,"txretries":1,"rxerrs":0,"req_timeouts":0,)"
         R"("disconnects":0,"rtt":{"avg":900,"p99":900}},)"
         R"("127.0.0.1:9092/bootstrap":{"name":"127.0.0.1:9092/bootstrap","nodeid":-1,"state":"UP",)"
         R"("outbuf_cnt":9,"waitresp_cnt":9,"rtt":{"avg":9000000,"p99":9000000}}},)"
         R"("topics":{"events":{"topic":"events","partitions":{"0":{"partition":0}}}}})";
}

class StatisticsTest : public testing::Test {
 protected:
  base::Metrics metrics_;
  Statistics statistics_{&metrics_};
};

TEST_F(StatisticsTest, ArePrimedForEachKindOfClient) {
  const std::string text = metrics_.Serialize();
  for (const char* client : {"consumer", "producer", "reader", "api-producer"}) {
    EXPECT_THAT(text, HasSubstr("herald_kafka_request_retries_total{client=\"" +
                                std::string(client) + "\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("herald_kafka_queue_records{client=\"" + std::string(client) +
                                "\"} 0\n"));
  }
}

TEST_F(StatisticsTest, BecomeMetricsOfTheClientAndItsBrokers) {
  const auto client = statistics_.New(ClientKind::kProducer);
  client->Put(Text(6));
  statistics_.Update();
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_kafka_queue_records{client=\"producer\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_queue_bytes{client=\"producer\"} 700\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_connected_brokers{client=\"producer\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_request_errors_total{client=\"producer\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_request_retries_total{client=\"producer\"} 7\n"))
      << "those to the coordinator count too";
  EXPECT_THAT(text, HasSubstr("herald_kafka_request_timeouts_total{client=\"producer\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_disconnects_total{client=\"producer\"} 4\n"));
  const std::string labels = "{broker=\"1\",client=\"producer\"} ";
  EXPECT_THAT(text, HasSubstr("herald_kafka_broker_round_trip_seconds" + labels + "0.0015\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_broker_round_trip_p99_seconds" + labels + "0.008\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_broker_waiting_requests" + labels + "4\n"));
  EXPECT_THAT(text, Not(HasSubstr("GroupCoordinator")));
  EXPECT_THAT(text, Not(HasSubstr("bootstrap")));
}

TEST_F(StatisticsTest, CountOnFromTheLastText) {
  const auto client = statistics_.New(ClientKind::kProducer);
  client->Put(Text(6));
  statistics_.Update();
  statistics_.Update();
  client->Put(Text(8));
  statistics_.Update();
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_kafka_request_retries_total{client=\"producer\"} 9\n"));
}

TEST_F(StatisticsTest, KeepTheLastTextOnly) {
  const auto client = statistics_.New(ClientKind::kProducer);
  client->Put(Text(6));
  client->Put(Text(8));
  statistics_.Update();
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_kafka_request_retries_total{client=\"producer\"} 9\n"));
}

TEST_F(StatisticsTest, OfClientsOfAKindAreAdded) {
  const auto first = statistics_.New(ClientKind::kProducer);
  const auto second = statistics_.New(ClientKind::kProducer);
  first->Put(Text(1));
  second->Put(Text(2));
  statistics_.Update();
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_kafka_queue_records{client=\"producer\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_request_retries_total{client=\"producer\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_connected_brokers{client=\"producer\"} 1\n"));
}

TEST_F(StatisticsTest, LeaveWithTheirClientButForWhatWasCounted) {
  auto client = statistics_.New(ClientKind::kReader);
  client->Put(Text(6));
  statistics_.Update();
  client.reset();
  statistics_.Update();
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_kafka_queue_records{client=\"reader\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("herald_kafka_request_retries_total{client=\"reader\"} 7\n"));
  EXPECT_THAT(text, Not(HasSubstr("client=\"reader\"} 0.0015")));
}

TEST_F(StatisticsTest, ShowNoBrokerWithoutAConnection) {
  const auto client = statistics_.New(ClientKind::kReader);
  client->Put(Text(6, "1", "TRY_CONNECT"));
  statistics_.Update();
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_kafka_connected_brokers{client=\"reader\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("broker=\"1\"")));
}

TEST_F(StatisticsTest, GiveLabelsToSoManyBrokersOnly) {
  const auto client = statistics_.New(ClientKind::kReader);
  for (size_t node = 1; node <= Statistics::kBrokersMax + 2; ++node) {
    client->Put(Text(0, std::to_string(node)));
    statistics_.Update();
    const std::string text = metrics_.Serialize();
    const std::string label = node <= Statistics::kBrokersMax ? std::to_string(node) : "other";
    EXPECT_THAT(text, HasSubstr("broker=\"" + label + "\""));
  }
}

TEST_F(StatisticsTest, ThatCannotBeReadChangeNothing) {
  const auto client = statistics_.New(ClientKind::kProducer);
  client->Put(Text(6));
  statistics_.Update();
  const std::string before = metrics_.Serialize();
  for (const char* text : {"{", "[]", "7", R"({"brokers":[]})", R"({"msg_cnt":9})"}) {
    client->Put(text);
    statistics_.Update();
    EXPECT_EQ(metrics_.Serialize(), before) << text;
  }
}

TEST(StatisticsWithoutMetrics, CountNowhere) {
  Statistics statistics(nullptr);
  const auto client = statistics.New(ClientKind::kConsumer);
  client->Put(Text(6));
  statistics.Update();
  EXPECT_FALSE(statistics.enabled());
}

}  // namespace
}  // namespace pipeline::rdkafka
