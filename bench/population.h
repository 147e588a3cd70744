#pragma once

#include <cstddef>
#include <string>

#include "bench/event_line.h"
#include "bench/random_source.h"

namespace bench {

/// Who lives in the generated world. Everything follows from the index and the seed.
class Population {
 public:
  /// REQUIRES: users > 1.
  explicit Population(size_t users) : users_(users), popular_(users, 0.9) {}

  size_t users() const { return users_; }

  /// Mostly the decimal number from 1; some have blanks, slashes, quotes, letters beyond ASCII, and
  /// a few are as long as an id may be (256 bytes).
  std::string UserId(size_t index) const;

  /// Is this user in the users file? Most are; an actor who is not keeps a null name.
  static bool IsInUsersFile(size_t index) { return index % 29 != 17; }

  /// The user as one line of JSON, without a line break.
  std::string UserLine(size_t index) const;

  /// Somebody who gets notifications; few get many.
  size_t DrawRecipient(RandomSource& random) const { return popular_.Draw(random); }

  /// Somebody who does something: any user, or now and then one that nobody knows.
  std::string DrawActor(RandomSource& random) const;

  /// One of `owner`'s few objects: post, photo, comment, article, event. Same id, same object.
  EventObject DrawObject(size_t owner, RandomSource& random) const;

  static std::string DrawText(RandomSource& random);

 private:
  size_t users_;
  ZipfRanks popular_;
};

}  // namespace bench
