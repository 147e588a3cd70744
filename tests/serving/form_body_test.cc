#include "serving/form_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace serving {
namespace {

using testing::ElementsAre;
using testing::Pair;

FormBody Form(const std::string& content_type, const std::string& body) {
  Request request;
  if (!content_type.empty()) request.headers.emplace_back("content-type", content_type);
  request.body = body;
  return FormBody(request);
}

FormBody Urlencoded(const std::string& body) {
  return Form("application/x-www-form-urlencoded", body);
}

FormBody Multipart(const std::string& body) {
  return Form("multipart/form-data; boundary=XX", body);
}

std::string Part(const std::string& header, const std::string& content) {
  return "--XX\r\n" + header + "\r\n\r\n" + content + "\r\n";
}

TEST(FormBody, DecodesUrlencodedFields) {
  const FormBody form = Urlencoded("fromID=%2B2&a+b=c+d%26&empty=&bare&=nameless");
  EXPECT_EQ(form.Field("fromID"), "+2");
  EXPECT_EQ(form.Field("a b"), "c d&");
  EXPECT_EQ(form.Field("empty"), "");
  EXPECT_EQ(form.Field("bare"), "");
  EXPECT_EQ(form.Field("missing"), "");
  EXPECT_EQ(form.Field(""), "nameless");
}

TEST(FormBody, LetsTheFirstValueCount) {
  EXPECT_EQ(Urlencoded("a=1&a=2").Field("a"), "1");
  EXPECT_EQ(Urlencoded("a=&a=2").Field("a"), "");
}

TEST(FormBody, PassesOverPairsThatCannotBeDecoded) {
  const FormBody form = Urlencoded("a=%zz&a=1&b=%4&%=x&c=1;d=2&c=3");
  EXPECT_EQ(form.Field("a"), "1");
  EXPECT_EQ(form.Field("b"), "");
  EXPECT_EQ(form.Field("c"), "3");
  EXPECT_EQ(form.Field("d"), "");
}

TEST(FormBody, LooksAtTheMediaTypeAlone) {
  for (const char* type :
       {"Application/X-WWW-Form-Urlencoded", " application/x-www-form-urlencoded ",
        "application/x-www-form-urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset"}) {
    EXPECT_EQ(Form(type, "a=1").Field("a"), "1") << type;
  }
  for (const char* type :
       {"", "application/json", "text/plain", "application/octet-stream",
        "application/x-www-form-urlencoded-not", "multipart/mixed; boundary=XX"}) {
    EXPECT_EQ(Form(type, "a=1").Field("a"), "") << type;
  }
}

TEST(FormBody, ReadsMultipartFields) {
  const FormBody form = Multipart(
      "preamble\r\n" + Part("Content-Disposition: form-data; name=\"fromID\"", "2") +
      Part("content-disposition:form-data;name=toID\r\nContent-Type: text/plain", "1") +
      Part("Content-Disposition: form-data; name=\"message\"", "two\r\nlines & --XX-ish") +
      Part("Content-Disposition: form-data; name=\"a\\\"b\"", "quoted") +
      Part("Content-Disposition: form-data; name=empty", "") + "--XX--\r\nepilogue");
  EXPECT_EQ(form.Field("fromID"), "2");
  EXPECT_EQ(form.Field("toID"), "1");
  EXPECT_EQ(form.Field("message"), "two\r\nlines & --XX-ish");
  EXPECT_EQ(form.Field("a\"b"), "quoted");
  EXPECT_EQ(form.Field("empty"), "");
}

TEST(FormBody, LetsTheFirstMultipartValueCount) {
  const FormBody form = Multipart(Part("Content-Disposition: form-data; name=a", "1") +
                                  Part("Content-Disposition: form-data; name=a", "2") + "--XX--");
  EXPECT_EQ(form.Field("a"), "1");
}

TEST(FormBody, TakesNoFilesForFields) {
  const FormBody form =
      Multipart(Part("Content-Disposition: form-data; name=a; filename=\"a.txt\"", "file") +
                Part("Content-Disposition: attachment; name=a", "attached") +
                Part("Content-Type: text/plain", "nameless") + "--XX--\r\n");
  EXPECT_EQ(form.Field("a"), "");
}

TEST(FormBody, HasNoFieldsWhenAMultipartBodyBreaksOff) {
  const std::string part = Part("Content-Disposition: form-data; name=a", "1");
  for (const std::string& body :
       {part, part + "--XX", part + "--XX\r\nContent-Disp", std::string(), std::string("--XX"),
        part + "--XX\r\nno colon\r\n\r\nx\r\n--XX--"}) {
    EXPECT_EQ(Multipart(body).Field("a"), "") << body;
  }
  EXPECT_EQ(Form("multipart/form-data", part + "--XX--").Field("a"), "");
  EXPECT_EQ(Form("multipart/form-data; boundary=\"X X\"", "--X X--").Field("a"), "");
}

TEST(MediaType, TakesParametersInTokensAndQuotes) {
  const auto media = ParseMediaType(" Form-Data ; Name=\"a;b\\\\c\" ; x = y;");
  ASSERT_TRUE(media.has_value());
  EXPECT_EQ(media->type, "form-data");
  EXPECT_THAT(media->parameters, ElementsAre(Pair("name", "a;b\\c"), Pair("x", "y")));
  for (const char* wrong : {"", ";", "a b", "a;b", "a; b=\"c", "a; =c", "a; b=c d", "a/; b=c"}) {
    EXPECT_FALSE(ParseMediaType(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace serving
