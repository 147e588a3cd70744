#pragma once

// What Clang's thread-safety analysis (-Wthread-safety) is told about locks; other compilers see
// nothing. A member says by which mutex it is guarded, a function which mutexes its caller holds or
// must not hold, and a build with Clang fails where the code does otherwise. The mutexes that take
// part are those of base/mutex.h.
//
// In a lambda that runs with the lock held (what a condition waits for, say) the analysis knows
// nothing of its caller: write `[this]() REQUIRES(mutex_) { ... }`.

#if defined(__clang__)
#define HERALD_THREAD_ANNOTATION(annotation) __attribute__((annotation))
#else
#define HERALD_THREAD_ANNOTATION(annotation)
#endif

/// The member is read and written with `mutex` held.
#define GUARDED_BY(mutex) HERALD_THREAD_ANNOTATION(guarded_by(mutex))
/// What the pointer points to is.
#define PT_GUARDED_BY(mutex) HERALD_THREAD_ANNOTATION(pt_guarded_by(mutex))

/// Called with these held, and they still are afterwards.
#define REQUIRES(...) HERALD_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
/// Called with none of these held: it takes them itself, or calls somebody who may.
#define EXCLUDES(...) HERALD_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

// For the mutexes and their scoped locks alone.
#define CAPABILITY(name) HERALD_THREAD_ANNOTATION(capability(name))
#define SCOPED_CAPABILITY HERALD_THREAD_ANNOTATION(scoped_lockable)
#define ACQUIRE(...) HERALD_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) HERALD_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) HERALD_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) HERALD_THREAD_ANNOTATION(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) HERALD_THREAD_ANNOTATION(release_generic_capability(__VA_ARGS__))
#define ASSERT_CAPABILITY(...) HERALD_THREAD_ANNOTATION(assert_capability(__VA_ARGS__))
