#include "app/console.h"

#include <gtest/gtest.h>

#include <sstream>

namespace app {
namespace {

TEST(SafeText, LeavesWhatPeopleWrite) {
  for (const char* text : {"", "Emma", "Zoë 🎉 日本語 – “ok”", "C:\\x"})
    EXPECT_EQ(SafeText(text), text);
}

TEST(SafeText, ShowsControlCharactersInsteadOfSendingThem) {
  EXPECT_EQ(SafeText("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(SafeText("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(SafeText(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(SafeText("\xc2\x9b"), "\\x9b");
  EXPECT_EQ(SafeText("\xe2\x80\xae"), "\\u202e");
}

TEST(SafeText, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(SafeText("\xff"), "\\xff");
  EXPECT_EQ(SafeText("a\xc3"), "a\\xc3");
  EXPECT_EQ(SafeText("\x9b\x31"),
            "\\x9b"
            "1");
  // Overlong, a surrogate, above the last code point.
  EXPECT_EQ(SafeText("\xc0\x9b"), "\\xc0\\x9b");
  EXPECT_EQ(SafeText("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(SafeText("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(SafeJson, StaysTheSameDocument) {
  EXPECT_EQ(SafeJson("{\"a\":\n\"\\u001b é\xc2\x9b\x7f\"}"),
            "{\"a\":\n\"\\u001b é\\u009b\\u007f\"}");
}

TEST(Table, AlignsItsColumnsByCharacters) {
  std::ostringstream out;
  std::ostringstream err;
  Table table({"ID", "NAME"});
  EXPECT_TRUE(table.empty());
  table.Add({"1", "Emma"});
  table.Add({"Zoë", "x\n"});
  table.Add({"only"});
  EXPECT_FALSE(table.empty());
  table.Print({out, err});
  EXPECT_EQ(out.str(),
            "ID    NAME\n"
            "1     Emma\n"
            "Zoë   x\\n\n"
            "only\n");
}

TEST(Colours, AreThereOnlyWhenAskedFor) {
  std::ostringstream out;
  const Console plain{out, out, true, false};
  const Console coloured{out, out, true, true};
  EXPECT_EQ(Bold(plain, "a") + Dim(plain, "b"), "ab");
  EXPECT_EQ(Bold(coloured, "a") + Dim(coloured, "b"), "\x1b[1ma\x1b[0m\x1b[2mb\x1b[0m");
}

}  // namespace
}  // namespace app
