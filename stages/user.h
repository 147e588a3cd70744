#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"

namespace stages {

inline constexpr size_t kUserBytesMax = 64 * 1024;
inline constexpr size_t kUserNameBytesMax = 256;
inline constexpr size_t kUserHandleBytesMax = 256;
inline constexpr size_t kUserAvatarUrlBytesMax = 2048;

/// Somebody who does things and is told of others' doings. Fields that are not known are nullopt.
struct User {
  std::string id;
  std::optional<std::string> name;
  std::optional<std::string> handle;
  std::optional<std::string> avatar_url;
};

class UserDecoder;

}  // namespace stages

/// JSON of topic `users`; docs/formats.md describes the fields. The id is the record's key; a value
/// may repeat it, and names it when there is no key (a line of a users file).
template <>
struct pipeline::Serde<stages::User> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::User> Decode(const RawRecord& record);
  void Encode(const stages::User& user, std::string& value);

 private:
  std::unique_ptr<stages::UserDecoder> decoder_;
};
