#include "stages/event_kinds.h"

#include <gtest/gtest.h>

namespace stages {
namespace {

std::string Render(std::string_view kind, TemplateValues values) {
  return RenderMessage(*FindEventKind(kind), values);
}

TEST(EventKinds, AnUndoNamesTheKindThatItTakesBack) {
  EXPECT_EQ(FindEventType("unlike").kind, FindEventKind("like"));
  EXPECT_TRUE(FindEventType("unlike").is_undo);
  EXPECT_FALSE(FindEventType("like").is_undo);
  EXPECT_EQ(FindEventKind("unlike"), nullptr);
  EXPECT_EQ(FindEventType("").kind, nullptr);
  EXPECT_EQ(FindEventType("unmessage").kind, nullptr);
}

TEST(EventKinds, NamesAreDifferent) {
  for (const EventKind& kind : EventKinds()) {
    EXPECT_EQ(FindEventType(kind.name).kind, &kind);
    if (!kind.undo_name.empty()) {
      EXPECT_EQ(FindEventType(kind.undo_name).kind, &kind);
    }
  }
}

TEST(EventKinds, RendersEachKindForPeople) {
  EXPECT_EQ(Render("follow", {"Bruno", "", "", ""}), "Bruno started following you.");
  EXPECT_EQ(Render("like", {"Lena", "", "post", "My weekend getaway!"}),
            "Lena liked your post: My weekend getaway!");
  EXPECT_EQ(Render("like", {"Lena", "", "photo", ""}), "Lena liked your photo.");
  EXPECT_EQ(Render("like", {"Lena", "", "", ""}), "Lena liked your post.");
  EXPECT_EQ(Render("like", {"Lena", "", "", "T"}), "Lena liked your post: T");
  EXPECT_EQ(Render("mention", {"Emma", "Great seeing you yesterday, @Bruno!", "comment", ""}),
            "Emma mentioned you in a comment: Great seeing you yesterday, @Bruno!");
  EXPECT_EQ(Render("mention", {"Emma", "", "article", ""}), "Emma mentioned you in an article.");
  EXPECT_EQ(Render("mention", {"Emma", "Hi", "", ""}), "Emma mentioned you: Hi");
  EXPECT_EQ(Render("mention", {"Emma", "", "", ""}), "Emma mentioned you.");
  EXPECT_EQ(Render("message", {"Emma", "Hello", "", ""}), "Hello");
  EXPECT_EQ(Render("message", {"Emma", "", "", ""}), "");
}

TEST(EventKinds, BracesInValuesAreJustText) {
  EXPECT_EQ(Render("mention", {"{text}", "{actor} {", "{a", ""}),
            "{text} mentioned you in a {a: {actor} {");
}

}  // namespace
}  // namespace stages
