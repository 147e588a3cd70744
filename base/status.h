#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace base {

/// What the caller should do about an error; the name is the reaction.
enum class StatusCode {
  kOk,
  /// A record or request that we cannot read or accept: dead letter or 400, carry on.
  kInvalidArgument,
  /// Temporary and outside us: try again at the next loop.
  kUnavailable,
  /// The partition moved or the producer is fenced: close the task dirty, write nothing.
  kLost,
  /// Rows unreadable, or ahead of the changelog: delete the task's directory and restore.
  kCorruption,
  /// Code of ours or a store failed (an exception, an I/O error): start what it happened in anew,
  /// which may heal it; give up after several times in a row.
  kInternal,
  /// Nothing can go on from here: stop with a non-zero exit.
  kFatal,
};

/// "ok", "invalid argument", "unavailable", ...: for logs.
std::string_view StatusCodeName(StatusCode code);

/// The result of an operation that can fail, with a message for people.
///
/// Messages carry task, topic, partition and offset, never a record's payload.
class [[nodiscard]] Status {
 public:
  Status() = default;

  static Status Ok() { return Status(); }
  static Status InvalidArgument(std::string message) {
    return Status(StatusCode::kInvalidArgument, std::move(message));
  }
  static Status Unavailable(std::string message) {
    return Status(StatusCode::kUnavailable, std::move(message));
  }
  static Status Lost(std::string message) { return Status(StatusCode::kLost, std::move(message)); }
  static Status Corruption(std::string message) {
    return Status(StatusCode::kCorruption, std::move(message));
  }
  static Status Internal(std::string message) {
    return Status(StatusCode::kInternal, std::move(message));
  }
  static Status Fatal(std::string message) {
    return Status(StatusCode::kFatal, std::move(message));
  }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// "corruption: task 1_0: ..." for logs.
  std::string ToString() const;

  /// The same code, the message prefixed: "restoring task 1_0: <message>".
  Status WithContext(std::string_view context) const;

 private:
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {           // NOLINT(google-explicit-constructor)
    CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  /// REQUIRES: ok().
  const T& value() const& {
    CHECK(ok(), status_.message());
    return *value_;
  }
  T& value() & {
    CHECK(ok(), status_.message());
    return *value_;
  }
  T&& value() && {
    CHECK(ok(), status_.message());
    return std::move(*value_);
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace base

/// Returns the Status of `expression` to the caller unless it is ok.
#define RETURN_IF_ERROR(expression)                                   \
  do {                                                                \
    if (::base::Status return_if_error_ = (expression); !return_if_error_.ok()) return return_if_error_; \
  } while (false)
