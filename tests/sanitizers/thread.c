/* Tells the thread sanitizer how the standard library, which comes compiled without it, orders threads:
 * each function here is linked in the place of one of the standard library's (`--wrap`), calls it, and
 * names the word through which one thread comes after another. Without that, whatever two threads hand
 * each other through a lock that one of them had to wait for would be reported.
 *
 * `tests/sanitize` passes the functions' names, which differ from compiler to compiler. An order that is
 * named here and isn't kept would hide races; so each is named only where the standard library keeps
 * it. */
#include <stdbool.h>
#include <stdint.h>

#define JOIN(prefix, name) prefix##name
#define REAL_OF(name) JOIN(__real_, name)
#define WRAP_OF(name) JOIN(__wrap_, name)

void __tsan_acquire(void *word);
void __tsan_release(void *word);

/* A lock that was taken at once was taken by code that is compiled with the caller's; the rest is here.
 * The word comes first in both locks. */
#define CONTENDED(lock)            \
  void REAL_OF(lock)(void *word);  \
  void WRAP_OF(lock)(void *word) { \
    REAL_OF(lock)(word);           \
    __tsan_acquire(word);          \
  }
CONTENDED(MUTEX_LOCK)
CONTENDED(RWLOCK_READ)
CONTENDED(RWLOCK_WRITE)

/* Waiting lets go of the mutex, and takes it again. */
void REAL_OF(CONDVAR_WAIT)(void *condvar, void *mutex);
void WRAP_OF(CONDVAR_WAIT)(void *condvar, void *mutex) {
  __tsan_release(mutex);
  REAL_OF(CONDVAR_WAIT)(condvar, mutex);
  __tsan_acquire(mutex);
}

/* A `Duration` is passed as its two numbers. */
bool REAL_OF(CONDVAR_WAIT_TIMEOUT)(void *condvar, void *mutex, uint64_t s, uint32_t ns);
bool WRAP_OF(CONDVAR_WAIT_TIMEOUT)(void *condvar, void *mutex, uint64_t s, uint32_t ns) {
  __tsan_release(mutex);
  bool was_woken = REAL_OF(CONDVAR_WAIT_TIMEOUT)(condvar, mutex, s, ns);
  __tsan_acquire(mutex);
  return was_woken;
}

/* `Once`, `OnceLock` and `LazyLock`, where they are not known to be complete: this thread completes one,
 * or waits for another one. (A third one that finds it complete before the last line here has run would
 * be reported; it has to come within some instructions.) */
void REAL_OF(ONCE_CALL)(void *once, bool poisoned_too, void *closure, void *vtable, void *caller);
void WRAP_OF(ONCE_CALL)(void *once, bool poisoned_too, void *closure, void *vtable, void *caller) {
  REAL_OF(ONCE_CALL)(once, poisoned_too, closure, vtable, caller);
  __tsan_acquire(once);
  __tsan_release(once);
}

/* An `Arc` counts down with `Release`, and who comes to nought has a fence before it drops the value.
 * The sanitizer knows no fences; but that one is as good as if each had counted down with `AcqRel`. */
enum { RELEASE = 3, ACQ_REL = 4 };
uint64_t __real___tsan_atomic64_fetch_sub(volatile uint64_t *word, uint64_t n, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *word, uint64_t n, int order) {
  return __real___tsan_atomic64_fetch_sub(word, n, order == RELEASE ? ACQ_REL : order);
}
