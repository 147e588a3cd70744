/* Loaded before libc (LD_PRELOAD): shifts the wall clock of one process by the seconds that the file
   named in CHAOS_CLOCK_SHIFT holds, as an 8 byte integer, at each moment. The monotonic clock is left
   alone, as it is when somebody sets a machine's clock. Who waits until a moment of the wall clock
   waits as long as it meant to: the kernel, too, follows when its clock is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const volatile long long* shift_s;

__attribute__((constructor)) static void Begin(void) {
  const char* path = getenv("CHAOS_CLOCK_SHIFT");
  const int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void* mapped = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) _exit(97);
  close(file);
  shift_s = mapped;
}

static int IsWallClock(clockid_t id) { return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t id, struct timespec* now) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(id, now);
  if (result == 0 && shift_s && IsWallClock(id)) now->tv_sec += *shift_s;
  return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec wall;
  const int result = clock_gettime(CLOCK_REALTIME, &wall);
  now->tv_sec = wall.tv_sec;
  now->tv_usec = wall.tv_nsec / 1000;
  return result;
}

time_t time(time_t* out) {
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  if (out) *out = wall.tv_sec;
  return wall.tv_sec;
}

/* A moment until which to wait, as the kernel's clock tells it. A moment that is nearer to the kernel's
   clock was not made from the shifted one, and one below a billion is of the monotonic clock. */
static struct timespec Unshifted(const struct timespec* until) {
  struct timespec moment = *until;
  const long long shift = *shift_s;
  const long long ahead = (long long)until->tv_sec - ((long long)time(NULL) - shift);
  if (until->tv_sec > 1000000000 && llabs(ahead) > llabs(shift) / 2) moment.tv_sec -= shift;
  return moment;
}

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
  if (!real) {  // there are two of this name, of which dlsym() gives the ancient one
    *(void**)&real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  }
  const struct timespec moment = Unshifted(until);
  return real(condition, mutex, &moment);
}

int pthread_cond_clockwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           clockid_t id, const struct timespec* restrict until) {
  static int (*real)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  const struct timespec moment = Unshifted(until);
  return real(condition, mutex, id, &moment);
}

int cnd_timedwait(cnd_t* restrict condition, mtx_t* restrict mutex,
                  const struct timespec* restrict until) {
  static int (*real)(cnd_t*, mtx_t*, const struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "cnd_timedwait");
  const struct timespec moment = Unshifted(until);
  return real(condition, mutex, &moment);
}
