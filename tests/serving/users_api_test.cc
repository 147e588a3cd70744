#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "pipeline/partitioner.h"
#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

class UsersApiTest : public ApiTest {
 protected:
  /// What is delivered is in the table at once.
  void ApplyAtOnce() {
    producer.on_delivered = [this](const RecordingProducer::Produced& record) {
      users.Apply(record);
    };
  }
};

TEST_F(UsersApiTest, AUserThatWasPutIsThere) {
  ApplyAtOnce();
  Start();
  const Received put = Put("/v1/users/1", R"({"name":"Emma","handle":"emma"})");
  ASSERT_EQ(put.status, 200) << put.body;
  EXPECT_EQ(put.headers.at("content-type"), "application/json");
  const json emma = {{"id", "1"}, {"name", "Emma"}, {"handle", "emma"}, {"avatar_url", nullptr}};
  EXPECT_EQ(Json(put), emma);
  EXPECT_EQ(Json(Get("/v1/users/1")), emma);
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 1u);
  EXPECT_EQ(produced[0].topic, "users");
  EXPECT_EQ(produced[0].key, "1");
  EXPECT_EQ(produced[0].partition, pipeline::PartitionForKey("1", kUsersPartitions));
  EXPECT_EQ(json::parse(*produced[0].value), emma);
}

TEST_F(UsersApiTest, AnswersWhenTheTableHasReadItBack) {
  threads = 1;
  Start();
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("PUT", "/v1/users/1", R"({"name":"Emma"})")));
  const auto produced = producer.WaitFor(1);
  EXPECT_EQ(client.Receive(false, std::chrono::milliseconds(50)).status, 0);
  EXPECT_EQ(Get("/health/live").status, 200);
  users.Apply(produced[0]);
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_EQ(Get("/v1/users/1").status, 200);
}

TEST_F(UsersApiTest, AnswersAlsoWhenALaterWriteHasAlreadyReplacedIt) {
  Start();
  HttpClient first(address);
  HttpClient second(address);
  ASSERT_TRUE(first.Send(RequestText("PUT", "/v1/users/1", R"({"name":"first"})")));
  producer.WaitFor(1);
  ASSERT_TRUE(second.Send(RequestText("PUT", "/v1/users/1", R"({"name":"second"})")));
  const auto produced = producer.WaitFor(2);
  // One batch of the table: nobody ever sees the first value.
  users.Apply(produced[1]);
  EXPECT_EQ(first.Receive().status, 200);
  EXPECT_EQ(second.Receive().status, 200);
  EXPECT_EQ(Json(Get("/v1/users/1"))["name"], "second");
}

TEST_F(UsersApiTest, SaysThatAWriteMayHaveBeenAppliedWhenTheTableIsSlow) {
  backend.users_timeout = std::chrono::milliseconds(30);
  Start();
  const Received put = Put("/v1/users/1", R"({"name":"Emma"})");
  EXPECT_THAT(Problem(put, 503)["detail"].get<std::string>(), HasSubstr("may have been applied"));
  EXPECT_THAT(Problem(Delete("/v1/users/1"), 503)["detail"].get<std::string>(),
              HasSubstr("may have been applied"));
}

TEST_F(UsersApiTest, SaysThatAWriteMayHaveBeenAppliedWhenKafkaDoesNotConfirm) {
  Start();
  producer.FailAll(base::Status::Unavailable("no broker"));
  EXPECT_THAT(Problem(Put("/v1/users/1", "{}"), 503)["detail"].get<std::string>(),
              HasSubstr("may have been applied"));
  producer.FailAll(base::Status::InvalidArgument("record is too large"));
  Problem(Put("/v1/users/1", "{}"), 400);
}

TEST_F(UsersApiTest, AUserThatWasDeletedIsGone) {
  ApplyAtOnce();
  Start();
  ASSERT_EQ(Put("/v1/users/1", R"({"name":"Emma"})").status, 200);
  HttpClient client(address);
  const Received gone = client.Call("DELETE", "/v1/users/1");
  EXPECT_EQ(gone.status, 204);
  EXPECT_EQ(gone.headers.count("content-length"), 0u);
  // The connection is in order behind a response without a body.
  Problem(client.Call("GET", "/v1/users/1"), 404);
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 2u);
  EXPECT_EQ(produced[1].value, std::nullopt);
  // Once more is no error.
  EXPECT_EQ(Delete("/v1/users/1").status, 204);
}

TEST_F(UsersApiTest, RefusesAUserThatItCannotRead) {
  Start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"name":7})", "name"},
      {R"({"name":")" + std::string(257, 'x') + "\"}", "name"},
      {R"({"handle":[]})", "handle"},
      {R"({"avatar_url":")" + std::string(2049, 'x') + "\"}", "avatar_url"},
      {R"({"id":"2","name":"Emma"})", "id"},
  };
  for (const auto& [body, field] : cases) {
    EXPECT_EQ(Problem(Put("/v1/users/1", body), 400)["field"], field) << body.substr(0, 80);
  }
  for (const std::string& body :
       {std::string(""), std::string("x"), std::string("[]"), std::string("null"), std::string("7"),
        std::string("{\"name\":\"\xff\"}"), std::string(100'000, '['),
        R"({"extra":")" + std::string(65'536, 'x') + "\"}"}) {
    Problem(Put("/v1/users/1", body), 400);
  }
  Problem(Put("/v1/users/%FF", "{}"), 400);
  Problem(Delete("/v1/users/" + std::string(257, 'x')), 400);
  EXPECT_THAT(producer.produced(), IsEmpty());
}

TEST_F(UsersApiTest, DoesNotCallAUserUnknownBeforeTheTableIsRead) {
  Start();
  Problem(Get("/v1/users/1"), 404);
  {
    const base::MutexLock lock(ready_mutex);
    ready = base::Status::Unavailable("waiting for the users table");
  }
  EXPECT_THAT(Problem(Get("/v1/users/1"), 503)["detail"].get<std::string>(),
              HasSubstr("users table"));
}

TEST_F(UsersApiTest, SaysWhenTheTableCannotBeRead) {
  Start();
  users.FailReads(base::Status::Corruption("block checksum"));
  const Received received = Get("/v1/users/1");
  Problem(received, 503);
  EXPECT_THAT(received.body, testing::Not(HasSubstr("checksum")));
}

TEST_F(UsersApiTest, SurvivesAStopWhileAWriteWaits) {
  Start();
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("PUT", "/v1/users/1", "{}")));
  producer.WaitFor(1);
  producer.Hold();
  HttpClient held(address);
  ASSERT_TRUE(held.Send(RequestText("PUT", "/v1/users/1", "{}")));
  producer.WaitFor(2);
  server->Stop(std::chrono::milliseconds(0));
  server.reset();
  service.reset();
  producer.Release();
  EXPECT_TRUE(client.WaitForClose());
  EXPECT_TRUE(held.WaitForClose());
}

TEST_F(UsersApiTest, NamesItsMethods) {
  Start();
  const Received received = Post("/v1/users/1", "{}");
  Problem(received, 405);
  EXPECT_EQ(received.headers.at("allow"), "GET, HEAD, PUT, DELETE");
}

}  // namespace
}  // namespace serving
