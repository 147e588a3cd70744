#include "serving/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/problem.h"
#include "serving/uri.h"

namespace serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using testing::Pair;

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    const auto named = [](const std::string& name) {
      return [name](const Request& request, const Respond& respond) {
        Response response;
        response.body = name;
        for (const auto& [parameter, value] : request.path_parameters) {
          response.body += " " + parameter + "=" + value;
        }
        for (const auto& [parameter, value] : request.query) {
          response.body += " ?" + parameter + "=" + value;
        }
        respond(std::move(response));
      };
    };
    router.Add("GET", "/", named("root"));
    router.Add("GET", "/metrics", named("metrics"));
    router.Add("GET", "/v1/users/{user}", named("get"));
    router.Add("PUT", "/v1/users/{user}", named("put"));
    router.Add("GET", "/v1/users/{user}/inbox", named("inbox"));
    router.Add("GET", "/v1/users/{user}/inbox/counts", named("counts"));
    router.Add("DELETE", "/v1/users/{user}/inbox/{id}", named("delete"));
    router.Add("POST", "/v1/users/{user}/inbox/{id}/read", named("read"));
    router.Add("GET", "/notes/{user}", named("notes"));
    router.Add("GET", "/notes/{user}/", named("slash"));
  }

  Response Ask(const std::string& method, const std::string& target) const {
    Request request;
    request.method = method;
    request.target = target;
    Response answer;
    int answers = 0;
    router.Handle(std::move(request), [&](Response response) {
      answer = std::move(response);
      ++answers;
    });
    EXPECT_EQ(answers, 1);
    return answer;
  }

  Router router;
};

TEST_F(RouterTest, FindsTheRouteByMethodAndPath) {
  EXPECT_EQ(Ask("GET", "/").body, "root");
  EXPECT_EQ(Ask("GET", "/v1/users/7").body, "get user=7");
  EXPECT_EQ(Ask("PUT", "/v1/users/7").body, "put user=7");
  EXPECT_EQ(Ask("POST", "/v1/users/7/inbox/n1/read").body, "read user=7 id=n1");
}

TEST_F(RouterTest, LabelsAResponseWithThePatternAndNeverThePath) {
  EXPECT_EQ(Ask("GET", "/v1/users/7").route, "/v1/users/{user}");
  EXPECT_EQ(Ask("GET", "/v1/unheard-of").route, "other");
  EXPECT_EQ(Ask("GET", "/unheard-of").route, "other");
  EXPECT_EQ(Ask("POST", "/v1/users/7").route, "other");
}

TEST_F(RouterTest, DecodesSegmentsAfterSplitting) {
  EXPECT_EQ(Ask("GET", "/v1/users/a%2Fb%20%C3%A4").body, "get user=a/b ä");
  EXPECT_EQ(Ask("GET", "/v1/%75sers/a+b").body, "get user=a+b");
}

TEST_F(RouterTest, DecodesBeforeSplittingOutsideOfV1) {
  EXPECT_EQ(Ask("GET", "/notes/%31").body, "notes user=1");
  EXPECT_EQ(Ask("GET", "/notes%2F1").body, "notes user=1");
  EXPECT_EQ(Ask("GET", "/notes/1%2f").body, "slash user=1");
  EXPECT_EQ(Ask("GET", "/notes/a%2Fb").status, 404);
  EXPECT_EQ(Ask("GET", "/notes/%2531").body, "notes user=%31");
}

TEST_F(RouterTest, PrefersAPatternThatNamesTheSegment) {
  EXPECT_EQ(Ask("GET", "/v1/users/7/inbox/counts").body, "counts user=7");
  EXPECT_EQ(Ask("DELETE", "/v1/users/7/inbox/n1").body, "delete user=7 id=n1");
  const Response named = Ask("DELETE", "/v1/users/7/inbox/counts");
  EXPECT_EQ(named.status, 405);
  EXPECT_THAT(named.headers, ElementsAre(Pair("Allow", "GET, HEAD")));
  const Response other = Ask("GET", "/v1/users/7/inbox/n1");
  EXPECT_EQ(other.status, 405);
  EXPECT_THAT(other.headers, ElementsAre(Pair("Allow", "DELETE")));
}

TEST_F(RouterTest, DecodesTheQuery) {
  EXPECT_EQ(Ask("GET", "/v1/users/1?a=b+c&d&e=%26%3d&&a=2").body,
            "get user=1 ?a=b c ?d= ?e=&= ?a=2");
}

TEST_F(RouterTest, RefusesBrokenEncodingUnderV1) {
  for (const char* target :
       {"/v1/users/%", "/v1/users/%4", "/v1/users/%zz", "/v1/users/1?limit=%", "/v1/%"}) {
    const Response response = Ask("GET", target);
    EXPECT_EQ(response.status, 400) << target;
    EXPECT_EQ(response.content_type, "application/problem+json") << target;
  }
}

TEST_F(RouterTest, ServesHeadWhereItServesGet) {
  EXPECT_EQ(Ask("HEAD", "/v1/users/7").body, "get user=7");
  EXPECT_EQ(Ask("HEAD", "/v1/users/7/inbox/n1/read").status, 405);
}

TEST_F(RouterTest, NamesTheMethodsThatAPathAnswersTo) {
  const Response response = Ask("DELETE", "/v1/users/7");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_THAT(response.headers, ElementsAre(Pair("Allow", "GET, HEAD, PUT")));
}

TEST_F(RouterTest, AnswersAnUnknownPathUnderV1WithAProblem) {
  for (const char* target : {"/v1", "/v1/", "/v1/nothing", "/v1/users/", "/v1/users//inbox",
                             "/v1/users/7/", "/v1/users/7/inbox/", "/v1/Users/7"}) {
    const Response response = Ask("GET", target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_EQ(response.content_type, "application/problem+json") << target;
  }
}

TEST_F(RouterTest, AnswersEverythingElseUnknownWithAPlain404) {
  for (const char* target : {"/nothing", "/v10", "/metrics/", "//", "/%", "*", "/V1/users/1"}) {
    const Response response = Ask("GET", target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_EQ(response.content_type, "text/plain") << target;
    EXPECT_EQ(response.body, "404 page not found") << target;
  }
  EXPECT_EQ(Ask("POST", "/metrics").status, 404);
}

TEST(Uri, DecodesOnlyWholeEscapes) {
  EXPECT_THAT(PercentDecode("a%41%e2%82%AC+"), Optional(std::string("aA\u20ac+")));
  EXPECT_EQ(PercentDecode("%4"), std::nullopt);
  EXPECT_EQ(PercentDecode("%g0"), std::nullopt);
  EXPECT_EQ(PercentDecode("%00")->size(), 1u);
  EXPECT_THAT(DecodePath("/a//b%2f/"), Optional(ElementsAre("a", "", "b/", "")));
  EXPECT_THAT(SplitPath("/a//b%2f/"), ElementsAre("a", "", "b%2f", ""));
  EXPECT_THAT(DecodeFormText("a+b%2Bc"), Optional(std::string("a b+c")));
}

TEST(ProblemTest, TellsWhatItKnowsInTheFormOfRfc9457) {
  const Response full = ToResponse({.status = 400,
                                    .detail = "no type",
                                    .index = 3,
                                    .field = "type",
                                    .retry_after = std::chrono::seconds(2)});
  EXPECT_EQ(full.status, 400);
  EXPECT_EQ(full.content_type, "application/problem+json");
  EXPECT_EQ(full.body,
            R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"no type",)"
            R"("index":3,"field":"type"})");
  EXPECT_THAT(full.headers, ElementsAre(Pair("Retry-After", "2")));
  EXPECT_EQ(ToResponse({.status = 404}).body,
            R"({"type":"about:blank","title":"Not Found","status":404})");
}

TEST(ProblemTest, SurvivesBytesThatAreNotUtf8) {
  EXPECT_THAT(ToResponse({.status = 400, .detail = "bad \xff byte"}).body,
              HasSubstr("bad \ufffd byte"));
}

}  // namespace
}  // namespace serving
