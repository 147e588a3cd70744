#include "stages/received_notification.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "stages/json_text.h"
#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

constexpr int kRounds = 20'000;

/// Draws notifications of all shapes that there are, some with texts that need escapes.
class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  size_t Below(size_t bound) { return random_() % bound; }

  std::string Text() {
    constexpr std::array<std::string_view, 9> kPieces = {"Emma", " likes ",  "a",  "ü", "…",
                                                         "42",   "/x?y=1&z", "😀", ""};
    std::string text;
    for (size_t i = Below(5); i > 0; --i) text += kPieces[Below(kPieces.size())];
    if (Below(12) == 0) text += std::array{"\"", "\\", "\n", "\x1f", "\x7f"}[Below(5)];
    return text;
  }
  std::optional<std::string> Optional() {
    if (Below(3) == 0) return std::nullopt;
    return Text();
  }

  Notification Notify() {
    Notification drawn;
    for (uint8_t& byte : drawn.identity.bytes) byte = static_cast<uint8_t>(random_());
    drawn.kind = FindEventKind(std::array{"like", "follow", "mention"}[Below(3)]);
    drawn.retracted = Below(4) == 0;
    drawn.recipient = "u" + Text();
    drawn.actor = {"a" + Text(), Optional(), Optional(), Optional()};
    if (Below(2) == 0) drawn.object = EventObject{Optional(), Optional(), Optional()};
    drawn.text = Optional();
    drawn.message = Text();
    drawn.time_ms = Below(8) == 0 ? -static_cast<int64_t>(Below(1'000'000'000'000))
                                  : kTestTimeMs + static_cast<int64_t>(Below(1'000'000));
    drawn.source = {"events", {static_cast<int32_t>(Below(64))}, {static_cast<int64_t>(Below(9))}};
    return drawn;
  }

  /// The same text but for one small change somewhere.
  std::string Spoil(std::string text) {
    constexpr std::string_view kLikely = "\"\\,:{}0-19 \nntuabcZe\x80\xc3\xff";
    const size_t at = Below(text.size());
    const char other =
        Below(4) == 0 ? static_cast<char>(random_()) : kLikely[Below(kLikely.size())];
    switch (Below(4)) {
      case 0:
        text.erase(at, 1 + Below(3));
        break;
      case 1:
        text.insert(at, 1, other);
        break;
      case 2:
        text.resize(at);
        break;
      default:
        text[at] = other;
    }
    return text;
  }

 private:
  std::mt19937_64 random_;
};

std::string Encode(const Notification& notification) {
  std::string json;
  pipeline::Serde<Notification>::Encode(notification, json);
  return json;
}

/// What the decoder makes of a text, as ReceivedNotification tells it.
void ExpectAsDecoded(const ReceivedNotification& read, std::string_view json,
                     const std::string& key) {
  const auto decoded = pipeline::Serde<Notification>().Decode(MakeRawRecord(json, key));
  ASSERT_TRUE(decoded.ok()) << json << ": " << decoded.status().ToString();
  EXPECT_EQ(read.identity, decoded->identity);
  EXPECT_EQ(read.retracted, decoded->retracted);
  EXPECT_EQ(read.time_ms, decoded->time_ms);
  EXPECT_EQ(read.recipient, decoded->recipient);
  EXPECT_EQ(read.json, Encode(*decoded));
}

bool NeedsEscapes(const std::string& text) { return PlainLength(text) < text.size(); }

TEST(ReceivedNotification, WhatWeWroteIsReadAsItIsButForIdsWithEscapes) {
  Draw draw(1);
  int read_as_written = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Notification notification = draw.Notify();
    const std::string json = Encode(notification);
    ReceivedNotification received;
    const bool plain =
        !NeedsEscapes(notification.recipient) && !NeedsEscapes(notification.actor.id);
    ASSERT_EQ(ReadAsWritten(json, notification.recipient, received), plain) << json;
    if (!plain) continue;
    ++read_as_written;
    ASSERT_NO_FATAL_FAILURE(ExpectAsDecoded(received, json, notification.recipient));
  }
  EXPECT_GT(read_as_written, kRounds * 4 / 5);
}

TEST(ReceivedNotification, WhatIsReadAsWrittenIsWhatTheDecoderWouldMakeOfIt) {
  Draw draw(2);
  int still_read = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Notification notification = draw.Notify();
    const std::string json = draw.Spoil(Encode(notification));
    ReceivedNotification received;
    if (!ReadAsWritten(json, notification.recipient, received)) continue;
    ++still_read;
    ASSERT_NO_FATAL_FAILURE(ExpectAsDecoded(received, json, notification.recipient));
  }
  EXPECT_GT(still_read, kRounds / 100) << "no change left a text that is in order";
}

TEST(ReceivedNotification, AnyTextEndsAsTheDecoderWouldHaveIt) {
  Draw draw(3);
  pipeline::Serde<ReceivedNotification> serde;
  pipeline::Serde<Notification> decoder;
  for (int round = 0; round < kRounds; ++round) {
    const Notification notification = draw.Notify();
    std::string json = Encode(notification);
    if (draw.Below(2) == 0) json = draw.Spoil(json);
    const pipeline::RawRecord record = MakeRawRecord(json, notification.recipient);
    const auto received = serde.Decode(record);
    const auto decoded = decoder.Decode(record);
    ASSERT_EQ(received.ok(), decoded.ok()) << json;
    if (!decoded.ok()) {
      EXPECT_EQ(received.status().ToString(), decoded.status().ToString());
      continue;
    }
    EXPECT_EQ(received->json, Encode(*decoded));
    EXPECT_EQ(received->recipient, decoded->recipient);
    EXPECT_EQ(received->identity, decoded->identity);
  }
}

TEST(ReceivedNotification, LimitsHoldForWhatIsReadAsWritten) {
  Notification notification = Draw(4).Notify();
  ReceivedNotification received;
  notification.text = std::string(kTextBytesMax, 'x');
  EXPECT_TRUE(ReadAsWritten(Encode(notification), notification.recipient, received));
  notification.text = std::string(kTextBytesMax + 1, 'x');
  EXPECT_FALSE(ReadAsWritten(Encode(notification), notification.recipient, received));
  notification.text.reset();
  EXPECT_FALSE(ReadAsWritten(Encode(notification), "somebody else", received));
  notification.actor.id.clear();
  EXPECT_FALSE(ReadAsWritten(Encode(notification), notification.recipient, received));
}

}  // namespace
}  // namespace stages
