#include "bench/population.h"

#include <string_view>

namespace bench {
namespace {

constexpr size_t kIdBytesMax = 256;
constexpr size_t kTextBytesMax = 4096;

constexpr std::string_view kNames[] = {"Emma",
                                       "Bruno",
                                       "Rick",
                                       "Lena",
                                       "Zoë",
                                       "Łukasz",
                                       "José \"Pepe\" Núñez",
                                       "O'Brien",
                                       "王小明",
                                       "Мария",
                                       "back\\slash",
                                       "tab\tname",
                                       "<b>Bold</b> & Co",
                                       "👩‍🚀 Ada",
                                       "line\nbreak",
                                       "ß/ß"};

constexpr std::string_view kObjectTypes[] = {"post", "photo", "comment", "article", "event"};

constexpr std::string_view kTitles[] = {
    "My weekend getaway!", "Sunset",          "Wie geht’s?",    "10 things \"you\" should know",
    "日本の秋…",           "C:\\temp\\notes", "Fish & <chips>", "🎉 party 🎉"};

constexpr std::string_view kTexts[] = {"Great seeing you yesterday, @Bruno!",
                                       "ok",
                                       "Ünïcödé everywhere",
                                       "a \"quoted\" word",
                                       "two\nlines",
                                       "tab\there",
                                       "back\\slash",
                                       "\x01 control",
                                       "</script><script>alert(1)</script>",
                                       "emoji 😀 and flags 🇩🇪",
                                       "trailing blank ",
                                       " ",
                                       "日本語のテキスト",
                                       "{\"type\":\"follow\"}",
                                       "\u2028 line separator",
                                       "%20 + & = ?"};

template <size_t N>
std::string_view Pick(const std::string_view (&list)[N], size_t index) {
  return list[index % N];
}

}  // namespace

std::string Population::UserId(size_t index) const {
  const std::string number = std::to_string(index + 1);
  if (index % 997 == 500)
    return "long-" + number + std::string(kIdBytesMax - 5 - number.size(), 'x');
  if (index % 97 != 13) return number;
  switch (index / 97 % 8) {
    case 0:
      return "ü-" + number;
    case 1:
      return "a b " + number;
    case 2:
      return "x/y/" + number;
    case 3:
      return "100%" + number;
    case 4:
      return "\"q\\" + number;
    case 5:
      return "用户" + number;
    case 6:
      return "?a=1&b=2#" + number;
    default:
      return "0" + number;
  }
}

std::string Population::UserLine(size_t index) const {
  const bool ascii_only = index % 5 == 0;
  const std::string number = std::to_string(index + 1);
  const std::string id = UserId(index);
  const bool as_integer = id == number && index % 7 == 0;
  std::string line = "{\"id\":" + (as_integer ? id : QuoteJson(id, ascii_only));
  const std::string name = std::string(Pick(kNames, index * 7)) + " " + number;
  line += ",\"name\":" + QuoteJson(name, ascii_only);
  if (index % 3 != 1) line += ",\"handle\":" + QuoteJson("user_" + number, ascii_only);
  if (index % 4 == 2) {
    line +=
        ",\"avatar_url\":" + QuoteJson("https://img.example.com/" + number + ".png", ascii_only);
  }
  return line + '}';
}

std::string Population::DrawActor(RandomSource& random) const {
  if (random.Percent(1)) return "ghost-" + std::to_string(random.Below(1000));
  return UserId(random.Below(users_));
}

EventObject Population::DrawObject(size_t owner, RandomSource& random) const {
  const size_t serial = random.Below(4);
  const size_t mix = owner * 4 + serial;
  EventObject object;
  object.type = Pick(kObjectTypes, mix);
  object.id = mix % 11 == 0 ? std::to_string(mix + 1)
                            : object.type.substr(0, 1) + std::to_string(owner + 1) + "-" +
                                  std::to_string(serial);
  if (mix % 613 == 7) object.id.append(kIdBytesMax - object.id.size(), 'o');
  if (mix % 5 != 2) object.title = Pick(kTitles, mix / 3);
  return object;
}

std::string Population::DrawText(RandomSource& random) {
  if (random.Percent(0.05)) return std::string(kTextBytesMax, 't');
  std::string text(Pick(kTexts, random.Next()));
  if (random.Percent(70)) text += " #" + std::to_string(random.Below(100'000));
  return text;
}

}  // namespace bench
