#include "pipeline/crash_mark.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace pipeline {
namespace {

// Also the format's version: a page that does not begin with it is as an empty one.
constexpr uint64_t kMagic = 0x31'6b72'616d'6872;  // "rhmark1"
// Kafka's longest topic name has 249 bytes.
constexpr size_t kTopicBytesMax = 256;

}  // namespace

/// The file, in this machine's byte order: it never leaves the machine.
struct CrashMark::Page {
  uint64_t magic;
  uint64_t run;
  int64_t offset;
  int32_t partition;
  uint32_t topic_bytes;
  std::array<char, kTopicBytesMax> topic;
};

base::Result<CrashMark> CrashMark::Open(const std::filesystem::path& path) {
  const auto failed = [&path](const char* what) {
    return base::Status::Fatal(path.string() + " cannot be " + what + ": " + std::strerror(errno));
  };
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return failed("made");
  // Blocks on the disk now: a mapped page without one ends the process when the disk is full.
  if (const int error = posix_fallocate(file, 0, sizeof(Page)); error != 0) {
    errno = error;
    const base::Status status = failed("given its size");
    close(file);
    return status;
  }
  void* mapped = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const base::Status status = mapped == MAP_FAILED ? failed("mapped") : base::Status::Ok();
  close(file);
  RETURN_IF_ERROR(status);
  CrashMark mark(static_cast<Page*>(mapped));
  if (mark.page_->magic != kMagic || mark.page_->topic_bytes > kTopicBytesMax) {
    std::memset(mapped, 0, sizeof(Page));
    mark.Clear();
    std::random_device random;
    mark.page_->run = uint64_t{random()} << 32 | random();
    mark.page_->magic = kMagic;
  }
  return mark;
}

CrashMark::CrashMark(CrashMark&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)),
      topic_(std::move(other.topic_)),
      partition_(other.partition_) {}

CrashMark::~CrashMark() {
  if (page_ != nullptr) munmap(page_, sizeof(Page));
}

std::optional<RecordPlace> CrashMark::InHand() const {
  if (page_->offset == kNothing) return std::nullopt;
  return RecordPlace{
      {std::string(page_->topic.data(), page_->topic_bytes), base::Partition{page_->partition}},
      base::Offset{page_->offset}};
}

uint64_t CrashMark::Run() const { return page_->run; }

void CrashMark::SetInput(const base::TopicPartition& tp) {
  Store(kNothing);
  topic_ = tp.topic;
  partition_ = tp.partition;
  page_->partition = tp.partition.value;
  page_->topic_bytes = static_cast<uint32_t>(std::min(tp.topic.size(), kTopicBytesMax));
  std::memcpy(page_->topic.data(), tp.topic.data(), page_->topic_bytes);
  // What counted before is over: the next crash is another one.
  ++page_->run;
}

void CrashMark::Store(int64_t offset) {
  // In program order for whoever reads the file after the process: the fence keeps the compiler
  // from moving stores over each other.
  std::atomic_signal_fence(std::memory_order_release);
  std::atomic_ref<int64_t>(page_->offset).store(offset, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_release);
}

}  // namespace pipeline
