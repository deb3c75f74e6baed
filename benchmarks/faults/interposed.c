/* Stands between a program and libc: a full disk, a slow fsync, a clock that was set.
 *
 * Which of them, says the file that INTERPOSED_FAULTS names: three 64-bit numbers, which another
 * process changes at any time. A full disk still lets a program write over what a file holds.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct wanted { volatile int64_t clock_ns, fsync_us, disk_full; };

static struct wanted nothing;
static struct wanted *wanted = &nothing;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("INTERPOSED_FAULTS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof(struct wanted), PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        wanted = found;
    close(file);
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int grows(int file, off_t end)
{
    struct stat found;
    if (!wanted->disk_full || fstat(file, &found) || !S_ISREG(found.st_mode))
        return 0;
    return end > found.st_size;
}

static int grows_here(int file, size_t count)
{
    struct stat found;
    if (!wanted->disk_full || fstat(file, &found) || !S_ISREG(found.st_mode))
        return 0;
    int flags = fcntl(file, F_GETFL);
    off_t at = flags & O_APPEND ? found.st_size : lseek(file, 0, SEEK_CUR);
    return at + (off_t)count > found.st_size;
}

static size_t octets(const struct iovec *pieces, int count)
{
    size_t sum = 0;
    for (int n = 0; n < count; n++)
        sum += pieces[n].iov_len;
    return sum;
}

#define NO_SPACE do { errno = ENOSPC; return -1; } while (0)

ssize_t write(int file, const void *data, size_t count)
{
    REAL(write);
    if (grows_here(file, count)) NO_SPACE;
    return real(file, data, count);
}

ssize_t writev(int file, const struct iovec *pieces, int count)
{
    REAL(writev);
    if (grows_here(file, octets(pieces, count))) NO_SPACE;
    return real(file, pieces, count);
}

ssize_t pwrite(int file, const void *data, size_t count, off_t at)
{
    REAL(pwrite);
    if (grows(file, at + (off_t)count)) NO_SPACE;
    return real(file, data, count, at);
}

ssize_t pwrite64(int file, const void *data, size_t count, off64_t at)
{
    REAL(pwrite64);
    if (grows(file, at + (off_t)count)) NO_SPACE;
    return real(file, data, count, at);
}

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t at)
{
    REAL(pwritev);
    if (grows(file, at + (off_t)octets(pieces, count))) NO_SPACE;
    return real(file, pieces, count, at);
}

ssize_t pwritev64(int file, const struct iovec *pieces, int count, off64_t at)
{
    REAL(pwritev64);
    if (grows(file, at + (off_t)octets(pieces, count))) NO_SPACE;
    return real(file, pieces, count, at);
}

int posix_fallocate(int file, off_t at, off_t length)
{
    REAL(posix_fallocate);
    return grows(file, at + length) ? ENOSPC : real(file, at, length);
}

int posix_fallocate64(int file, off64_t at, off64_t length)
{
    REAL(posix_fallocate64);
    return grows(file, at + length) ? ENOSPC : real(file, at, length);
}

static void wait_for_disk(void)
{
    if (wanted->fsync_us)
        usleep((useconds_t)wanted->fsync_us);
}

int fsync(int file)
{
    REAL(fsync);
    wait_for_disk();
    return real(file);
}

int fdatasync(int file)
{
    REAL(fdatasync);
    wait_for_disk();
    return real(file);
}

int clock_gettime(clockid_t which, struct timespec *found)
{
    REAL(clock_gettime);
    int failed = real(which, found);
    if (failed || which != CLOCK_REALTIME || !wanted->clock_ns)
        return failed;
    int64_t now = found->tv_sec * 1000000000LL + found->tv_nsec + wanted->clock_ns;
    found->tv_sec = now / 1000000000LL;
    found->tv_nsec = now % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    (void)zone;
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *found)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found)
        *found = now.tv_sec;
    return now.tv_sec;
}
