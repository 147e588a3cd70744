#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/record.h"

namespace pipeline {

/// Which record a stream thread has in a stage's hands right now, kept in a small mapped file: it
/// outlives the process without a write of our own, whatever ends the process, and costs two stores
/// a record. (It need not outlive the machine: no record crashes that.)
///
/// Threads: the stream thread's.
class CrashMark {
 public:
  /// Maps the file and makes it when it is missing.
  /// Errors: Fatal when it cannot be made or mapped, with its path.
  static base::Result<CrashMark> Open(const std::filesystem::path& path);

  /// "<state directory>/in-hand-<slot>"
  static std::filesystem::path PathOf(const std::filesystem::path& state_directory, int slot) {
    return state_directory / ("in-hand-" + std::to_string(slot));
  }

  CrashMark(CrashMark&& other) noexcept;
  CrashMark& operator=(CrashMark&&) = delete;
  ~CrashMark();

  /// The record that was in hand when the last one who marked here came to its end, if one was;
  /// until Clear().
  std::optional<RecordPlace> InHand() const;
  /// Differs from one time in hand to the next, so that one crash is not counted twice.
  uint64_t Run() const;

  /// From now on `offset` of `tp` is in hand.
  void Set(const base::TopicPartition& tp, base::Offset offset) {
    if (tp.partition != partition_ || tp.topic != topic_) SetInput(tp);
    Store(offset.value);
  }
  void Clear() { Store(kNothing); }

 private:
  static constexpr int64_t kNothing = -1;
  struct Page;

  explicit CrashMark(Page* page) : page_(page) {}
  void SetInput(const base::TopicPartition& tp);
  void Store(int64_t offset);

  Page* page_ = nullptr;
  /// What the page names, for a quick look.
  std::string topic_;
  base::Partition partition_{-1};
};

}  // namespace pipeline
