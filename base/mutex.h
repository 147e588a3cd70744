#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <stop_token>
#include <utility>

#include "base/thread_annotations.h"

namespace base {

/// std::mutex, known to Clang's thread-safety analysis (libstdc++'s is not). What it guards says
/// GUARDED_BY; take it with MutexLock.
class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // Lower case as the standard library's condition variables call them.
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

  /// Tells the analysis, in a lambda whose caller holds it; checks nothing.
  void AssertHeld() const ASSERT_CAPABILITY(this) {}

 private:
  std::mutex mutex_;
};

/// Holds a mutex for a scope, or up to Unlock().
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  /// Earlier than the scope's end; once.
  void Unlock() RELEASE() {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// Waiting for what a mutex guards. The mutex is held when a wait begins, when `done` is asked, and
/// when the wait is over; `done` is a lambda with REQUIRES(mutex).
class ConditionVariable {
 public:
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

  template <typename Done>
  void Wait(Mutex& mutex, Done done) REQUIRES(mutex) {
    condition_.wait(mutex, std::move(done));
  }

  /// What `done` says when the wait ends: true, or the time is over.
  template <typename Rep, typename Period, typename Done>
  bool WaitFor(Mutex& mutex, std::chrono::duration<Rep, Period> time, Done done) REQUIRES(mutex) {
    return condition_.wait_for(mutex, time, std::move(done));
  }

  /// These end also when a stop is requested.
  template <typename Done>
  bool Wait(Mutex& mutex, const std::stop_token& stop, Done done) REQUIRES(mutex) {
    return condition_.wait(mutex, stop, std::move(done));
  }
  template <typename Rep, typename Period, typename Done>
  bool WaitFor(Mutex& mutex, const std::stop_token& stop, std::chrono::duration<Rep, Period> time,
               Done done) REQUIRES(mutex) {
    return condition_.wait_for(mutex, stop, time, std::move(done));
  }

 private:
  std::condition_variable_any condition_;
};

/// A mutex that many may hold for reading at the same time.
class CAPABILITY("mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  void lock_shared() ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

/// Holds it for reading.
class SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~ReaderLock() RELEASE_GENERIC() { mutex_.unlock_shared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

/// Holds it for writing: nobody else has it.
class SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~WriterLock() RELEASE() { mutex_.unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace base
