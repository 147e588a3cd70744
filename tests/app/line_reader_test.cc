#include "app/line_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

namespace app {
namespace {

using testing::HasSubstr;

/// Reads from a pipe that the test writes to.
class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() {
    EXPECT_EQ(pipe(ends_.data()), 0);
    auto opened = LineReader::Open("-", ends_[0]);
    reader.emplace(std::move(*opened));
  }
  ~LineReaderTest() override {
    Close();
    close(ends_[0]);
  }

  void Write(const std::string& text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  std::string Next() {
    const auto line = reader->Next();
    if (!line.ok()) return line.status().ToString();
    return line->value_or("<end>");
  }

  std::optional<LineReader> reader;

 private:
  std::array<int, 2> ends_{};
};

TEST_F(LineReaderTest, NumbersLinesAndPassesOverBlankOnes) {
  Write("one\n\n  \t\ntwo\r\nthree");
  Close();
  EXPECT_EQ(Next(), "one");
  EXPECT_EQ(reader->line(), 1u);
  EXPECT_EQ(Next(), "two\r");
  EXPECT_EQ(reader->line(), 4u);
  EXPECT_EQ(Next(), "three");
  EXPECT_EQ(reader->line(), 5u);
  EXPECT_EQ(Next(), "<end>");
  EXPECT_EQ(Next(), "<end>");
}

TEST_F(LineReaderTest, KnowsWhetherTheNextLineIsThere) {
  EXPECT_FALSE(reader->Ready());
  Write("one\ntwo\n");
  EXPECT_TRUE(reader->Ready());
  EXPECT_EQ(Next(), "one");
  EXPECT_TRUE(reader->Ready());
  EXPECT_EQ(Next(), "two");
  EXPECT_FALSE(reader->Ready());
  Close();
  EXPECT_TRUE(reader->Ready());
  EXPECT_EQ(Next(), "<end>");
  EXPECT_TRUE(reader->Ready());
}

TEST(LineReader, ReadsLongLinesAndRefusesLongerOnes) {
  const std::string path = testing::TempDir() + "herald-line-reader-" + std::to_string(getpid());
  FILE* const file = std::fopen(path.c_str(), "w");
  const std::string fits(kLineBytesMax, 'a');
  std::fputs((fits + "\n" + fits + "bbbbbbbb").c_str(), file);
  std::fclose(file);
  auto reader = LineReader::Open(path, -1);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(*reader->Next(), fits);
  const auto longer = reader->Next();
  ASSERT_FALSE(longer.ok());
  EXPECT_THAT(longer.status().message(), HasSubstr("line 2 is longer than"));
  std::remove(path.c_str());
}

TEST(LineReader, NamesAFileThatItCannotRead) {
  const auto reader = LineReader::Open("/nowhere/at/all", -1);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.status().code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(reader.status().message(), HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace app
